import type { Socket } from 'node:net'
import { FrameEdges } from './frame-edges.ts'
import type { OpenTunnel, OpenTunnels } from './open-tunnels.ts'

/** An unmasked close frame with the status 1001, "going away" (RFC 6455 §5.5.1, §7.4.1). */
const GOING_AWAY = Buffer.from([0x88, 0x02, 0x03, 0xe9])

/** What a tunnel consists of. Both sockets are its own from now on; `client` has been told of the switch. */
export interface TunnelEnds {
  readonly client: Socket
  /** Paused, half-open. */
  readonly node: Socket
  /** Nothing moved either way for this long: it ends. */
  readonly idleMs: number
  /** Counts what is relayed. */
  readonly stats: { requestBodyBytes: number; responseBodyBytes: number }
  /** What the node switched to. */
  readonly protocol: string
}

/**
 * Bytes both ways between a client and a node after a 101, whatever they mean. Each side is read as fast as the other one takes it;
 * the end of one direction is passed on and leaves the other one open. It is over when one of the sockets is closed, and closes the
 * other one.
 */
export class Tunnel implements OpenTunnel {
  readonly #ends: TunnelEnds
  readonly #registry: OpenTunnels
  readonly #idle: NodeJS.Timeout
  /** Of what the client is sent; only of a WebSocket. */
  readonly #edges: FrameEdges | undefined
  #isGoingAway = false
  /** The client has had its last byte. */
  #isClientDone = false
  #isEnding = false

  constructor(ends: TunnelEnds, registry: OpenTunnels) {
    this.#ends = ends
    this.#registry = registry
    this.#edges = ends.protocol.toLowerCase() === 'websocket' ? new FrameEdges() : undefined
    this.#idle = setTimeout(() => this.#onIdle(), ends.idleMs).unref()
  }

  start(): void {
    const { client, node } = this.#ends
    client.off('end', destroyAtEnd)
    for (const socket of [client, node]) {
      socket.setTimeout(0)
      socket.setNoDelay(true)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => this.#end())
    }
    client.on('data', (chunk: Buffer) => this.#toNode(chunk)).on('end', () => node.end())
    node.on('data', (chunk: Buffer) => this.#toClient(chunk)).on('end', () => client.end())
    client.on('drain', () => node.resume()).resume()
    node.on('drain', () => client.resume()).resume()
    this.#registry.add(this)
  }

  /**
   * A WebSocket client is sent a close frame once the frame under way is complete, and no byte after it; its own close frame still
   * goes to the node. Other protocols have no such word: they go on until they end or are cut.
   */
  goAway(): void {
    if (!this.#edges || this.#isGoingAway) return
    this.#isGoingAway = true
    if (this.#edges.isAtEdge) this.#sayGoodbye()
  }

  #sayGoodbye(): void {
    const { client, node } = this.#ends
    this.#isClientDone = true
    if (client.writable) client.end(GOING_AWAY)
    // What the node still says is dropped; it may be waiting for room.
    node.resume()
  }

  #toNode(chunk: Buffer): void {
    const { client, node, stats } = this.#ends
    stats.requestBodyBytes += chunk.length
    this.#idle.refresh()
    if (node.writable && !node.write(chunk)) client.pause()
  }

  #toClient(chunk: Buffer): void {
    if (this.#isClientDone) return
    const { client, node, stats } = this.#ends
    this.#idle.refresh()
    const edge = this.#edges?.take(chunk) ?? -1
    const isLast = this.#isGoingAway && edge !== -1
    const bytes = isLast ? chunk.subarray(0, edge) : chunk
    stats.responseBodyBytes += bytes.length
    if (client.writable && !client.write(bytes)) node.pause()
    if (isLast) this.#sayGoodbye()
  }

  #onIdle(): void {
    const { client, node } = this.#ends
    if (!this.#isEnding) {
      this.#end()
      return
    }
    client.destroy()
    node.destroy()
  }

  /** What is written already is still sent, if the other side takes it before the tunnel is idle once more. */
  #end(): void {
    const { client, node } = this.#ends
    if (client.destroyed && node.destroyed) {
      clearTimeout(this.#idle)
      this.#registry.delete(this)
      return
    }
    if (this.#isEnding) return
    this.#isEnding = true
    this.#idle.refresh()
    client.destroySoon()
    node.destroySoon()
  }
}

/** Listens for the end of a client's connection until there is a tunnel that can pass it on: a client that left needs no answer. */
export function destroyAtEnd(this: Socket): void {
  this.destroy()
}
