import { definePlugin, type RequestContext, requestSlot } from '../../src/plugin/api.ts'
import { compileTarget, copyHeaders } from './copy.ts'
import { attrSchema, type MirrorConfig, schema } from './schema.ts'
import { Sender } from './sender.ts'

/** Longest body that is read ahead for a copy. */
const MAX_BODY_BYTES = 1024 * 1024

/** The instances that will send a copy of the request; each is taken out when it has. */
const due = requestSlot<Set<Sender>>('proxy-mirror')

/** Sends copies of requests to a second place and ignores its answers (contract §7.3). */
export default definePlugin<MirrorConfig>({
  name: 'proxy-mirror',
  priority: 1010,
  schema,
  attrSchema,
  compile(config, host) {
    const sender = new Sender(config, host)
    host.own(() => sender.close())
    const targetOf = compileTarget(config)
    const { sample_ratio: ratio } = config
    const send = (context: RequestContext, body: Uint8Array) =>
      sender.send({
        method: context.upstream.method,
        target: targetOf(context.upstream.target),
        headers: copyHeaders(context, body.length),
        body,
      })
    return {
      access(context) {
        if (ratio < 1 && Math.random() >= ratio) return undefined
        if (!isCopyable(context)) {
          sender.count('body')
          return undefined
        }
        note(context, sender)
        return context.hasBody ? context.readBody(MAX_BODY_BYTES).then(() => undefined) : undefined
      },
      // What the upstream will get is settled now. Called again before a retry, which gets no second copy.
      beforeProxy(context) {
        if (!context.get(due)?.delete(sender)) return
        if (!context.hasBody) send(context, NO_BODY)
        else {
          // It lies in memory already. A body that another plugin has made longer since is not copied.
          context.readBody(MAX_BODY_BYTES).then(
            (body) => send(context, body),
            () => sender.count('body'),
          )
        }
      },
    }
  },
})

const NO_BODY = new Uint8Array(0)

/** A body of unknown length may be a stream that waits for answers: reading it ahead could hold it up for ever. */
function isCopyable(context: RequestContext): boolean {
  if (!context.hasBody) return true
  const length = Number(context.headers.get('content-length') ?? Number.NaN)
  return length <= MAX_BODY_BYTES
}

function note(context: RequestContext, sender: Sender): void {
  const senders = context.get(due)
  if (senders) senders.add(sender)
  else context.set(due, new Set([sender]))
}
