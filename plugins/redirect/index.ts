import { ConfigError, definePlugin, type Reply } from '../../src/plugin/api.ts'
import { compileLocation } from './location.ts'
import { attrSchema, type RedirectAttr, type RedirectConfig, schema } from './schema.ts'
import { compileToHttps } from './to-https.ts'

/** Sends clients elsewhere (contract §7.3). */
export default definePlugin<RedirectConfig>({
  name: 'redirect',
  priority: 900,
  phases: ['rewrite'],
  schema,
  attrSchema,
  check(config) {
    if (config.http_to_https && config.append_query_string) {
      throw new ConfigError('only one of `http_to_https` and `append_query_string` can be configured.')
    }
    if (config.http_to_https === undefined) compileLocation(config)
  },
  compile(config, host) {
    if (config.http_to_https !== undefined) {
      const { https_port: port = host.httpsPort } = host.attr as RedirectAttr
      return config.http_to_https ? { rewrite: compileToHttps(port) } : {}
    }
    const locate = compileLocation(config)
    const { ret_code: status } = config
    return {
      rewrite(context): Reply | undefined {
        const location = locate(context)
        return location === undefined ? undefined : { status, headers: { Location: location } }
      },
    }
  },
})
