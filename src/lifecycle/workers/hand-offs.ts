import type { Worker } from 'node:cluster'

/** The parts of the cluster's own messages that matter here. */
interface ClusterMessage {
  readonly act?: unknown
  readonly seq?: number
  readonly ack?: number
}

interface Closable {
  close(): void
}

/**
 * Node's round robin hands a connection to a worker and waits for its word; when the worker dies before it gives it, the connection is left
 * in the primary, where nobody looks at it any more: its client would wait for ever. Here the word is given in the place of the dead:
 * "not accepted", upon which Node hands the connection to another worker. `isServedElsewhere` says whether there is one; else the
 * connection is closed. Should Node's messages ever look different, this does nothing.
 */
export function keepHandOffs(worker: Worker, isServedElsewhere: () => boolean): void {
  const { process: child } = worker
  const open = new Map<number, Closable>()
  const send = child.send.bind(child) as (...args: unknown[]) => boolean
  child.send = ((message: ClusterMessage, handle: unknown, ...rest: unknown[]) => {
    if (message.act === 'newconn' && message.seq !== undefined && isClosable(handle)) {
      open.set(message.seq, handle)
    }
    return send(message, handle, ...rest)
  }) as typeof child.send
  child.on('internalMessage', ({ ack }: ClusterMessage) => {
    if (ack !== undefined) open.delete(ack)
  })
  child.once('exit', () => {
    // After Node has taken the worker out of the round.
    setImmediate(() => {
      for (const [ack, handle] of open) {
        if (isServedElsewhere()) child.emit('internalMessage', { cmd: 'NODE_CLUSTER', ack, accepted: false })
        else handle.close()
      }
      open.clear()
    })
  })
}

function isClosable(handle: unknown): handle is Closable {
  return typeof (handle as Closable | undefined)?.close === 'function'
}
