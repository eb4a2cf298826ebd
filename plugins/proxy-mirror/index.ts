import { definePlugin, type RequestContext, requestSlot } from '../../src/plugin/api.ts'
import { compileTarget, copyOf } from './copy.ts'
import { attrSchema, type MirrorConfig, schema } from './schema.ts'
import { Sender } from './sender.ts'

/** The instances that will send a copy of the request; each is taken out when it has. */
const due = requestSlot<Set<Sender>>('proxy-mirror')

/** Sends copies of requests to a second place and ignores its answers (contract §7.3). */
export default definePlugin<MirrorConfig>({
  name: 'proxy-mirror',
  priority: 1010,
  phases: ['access', 'beforeProxy', 'tapBody'],
  schema,
  attrSchema,
  compile(config, host) {
    const sender = new Sender(config, host)
    host.own(() => sender.close())
    const targetOf = compileTarget(config)
    const { sample_ratio: ratio } = config
    const begin = (context: RequestContext) =>
      context.get(due)?.delete(sender) ? sender.begin(copyOf(context, targetOf)) : undefined
    return {
      access(context) {
        if (ratio === 1 || Math.random() < ratio) note(context, sender)
      },
      // What the upstream will get is settled now. Called again before a retry, which gets no second copy.
      beforeProxy(context) {
        if (!context.hasBody) begin(context)?.end(true)
      },
      tapBody: begin,
    }
  },
})

function note(context: RequestContext, sender: Sender): void {
  const senders = context.get(due)
  if (senders) senders.add(sender)
  else context.set(due, new Set([sender]))
}
