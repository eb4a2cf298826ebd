import { definePlugin, type Reply, type VariableSource } from '../../src/plugin/api.ts'
import { checkHeaders, compileHeaders, type HeadersConfig } from '../_shared/headers/operations.ts'
import { type ProxyRewriteConfig, schema } from './schema.ts'
import { compileRules, compileTarget, LEADS_OUT } from './target.ts'

const BAD_REQUEST: Reply = { status: 400 }

/** Changes method, target, host and headers of the request on its way to the upstream (contract §7.3). */
export default definePlugin<ProxyRewriteConfig>({
  name: 'proxy-rewrite',
  priority: 1008,
  phases: ['rewrite'],
  schema,
  check(config) {
    if (config.regex_uri) compileRules(config.regex_uri)
    if (config.headers) checkHeaders(config.headers as HeadersConfig)
  },
  compile(config) {
    const { method, host } = config
    const rewriteTarget = compileTarget(config)
    const changeHeaders = config.headers && compileHeaders(config.headers as HeadersConfig)
    return {
      rewrite(context) {
        const rewritten = rewriteTarget?.(context)
        if (rewritten === LEADS_OUT) return BAD_REQUEST
        // After the target: header values see the request as it came, and the captures of its pattern.
        changeHeaders?.(
          context.headers,
          rewritten?.captures ? withCaptures(context, rewritten.captures) : context,
        )
        if (rewritten) context.upstream.target = rewritten.target
        if (method !== undefined) context.upstream.method = method
        if (host !== undefined) context.upstream.host = host
        return undefined
      },
    }
  },
})

/** `$1` in a header value is the first capture of `regex_uri`; every other name is a variable. */
function withCaptures(context: VariableSource, captures: RegExpExecArray): VariableSource {
  return {
    var: (name) => (/^\d+$/.test(name) ? (captures[Number(name)] ?? '') : context.var(name)),
  }
}
