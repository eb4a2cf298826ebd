import type { BodyConsumer, OutgoingBody } from '../upstream/transport.ts'
import type { Exchange } from './exchange.ts'

/** What the attempts send: the client's body, or what a plugin has put into its place. */
export function outgoingBody({ context, body }: Exchange): OutgoingBody | undefined {
  const { newBody } = context
  if (newBody === undefined) return body
  return newBody.length === 0 && !body ? undefined : wholeBody(newBody)
}

/** Whether another attempt can be given the body from its start. */
export function canReplay({ context, body }: Exchange): boolean {
  return context.newBody !== undefined || (body?.isReplayable ?? true)
}

/** A body that lies in memory. */
function wholeBody(bytes: Uint8Array): OutgoingBody {
  return {
    length: bytes.length,
    attach(consumer: BodyConsumer): void {
      if (bytes.length > 0) consumer.onChunk(bytes)
      consumer.onEnd()
    },
    resume: () => {},
    detach: () => {},
  }
}
