import { type Channel, Link } from '../../src/lifecycle/workers/link.ts'

/** One end, as a test drives it. */
export interface ChannelEnd extends Channel {
  /** As if the other end had sent it. */
  receive(message: unknown): void
  /** As if the other process were gone. */
  close(): void
  /** All messages that were sent from this end. */
  readonly sent: unknown[]
}

/** Two ends of a pipe in one process; messages go as they would through a pipe. */
export function channelPair(): [ChannelEnd, ChannelEnd] {
  const ends: ChannelEnd[] = []
  const make = (other: () => ChannelEnd): ChannelEnd => {
    let onMessage: (message: unknown) => void = () => undefined
    let onClose: () => void = () => undefined
    const sent: unknown[] = []
    return {
      sent,
      send: (message, done) => {
        sent.push(message)
        const text = JSON.stringify(message)
        setImmediate(() => {
          other().receive(JSON.parse(text))
          done(null)
        })
      },
      onMessage: (listener) => {
        onMessage = listener
      },
      onClose: (listener) => {
        onClose = listener
      },
      receive: (message) => onMessage(message),
      close: () => onClose(),
    }
  }
  ends.push(
    make(() => ends[1]!),
    make(() => ends[0]!),
  )
  return [ends[0]!, ends[1]!]
}

/** Links of two processes, in one; `close` is what either sees when the other is gone. */
export interface LinkPair {
  readonly primary: Link
  readonly worker: Link
  close(): void
}

/** As between a primary process and a worker. */
export function linkPair(): LinkPair {
  const [near, far] = channelPair()
  return {
    primary: new Link(near),
    worker: new Link(far),
    close: () => {
      near.close()
      far.close()
    },
  }
}
