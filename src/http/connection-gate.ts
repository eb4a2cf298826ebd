import type { Server, Socket } from 'node:net'
import { parseIpv6 } from '../lib/ip-address.ts'

/** How many connections are held open at once; Infinity for any. */
export interface ConnectionLimits {
  readonly connections: number
  /** Of one IPv4 address, or one /64 of IPv6: what a client can change its address within. */
  readonly perClient: number
  /** A proxy in front of us speaks for many clients, and is not counted as one. */
  isProxy(address: string): boolean
}

export type GateReason = 'total' | 'per-client'

/**
 * Counts the connections of every proxy listener and closes those that are one too many. They are not answered: the answer would
 * cost more than the connection did.
 */
export class ConnectionGate {
  readonly #limits: ConnectionLimits
  readonly #onRefused: (reason: GateReason) => void
  readonly #byClient = new Map<string, number>()
  #open = 0
  #accepted = 0
  #refused = 0

  constructor(limits: ConnectionLimits, onRefused: (reason: GateReason) => void) {
    this.#limits = limits
    this.#onRefused = onRefused
  }

  /** Those that are held now. */
  get open(): number {
    return this.#open
  }

  /** All that ever came, those that were closed at once included. */
  get accepted(): number {
    return this.#accepted
  }

  /** Of {@link accepted}, those that were not closed at once. */
  get handled(): number {
    return this.#accepted - this.#refused
  }

  /** To be called before the server accepts. */
  guard(server: Server): void {
    server.on('connection', (socket: Socket) => this.#admit(socket))
  }

  #admit(socket: Socket): void {
    this.#accepted++
    if (this.#open >= this.#limits.connections) {
      this.#refuse(socket, 'total')
      return
    }
    const client = this.#clientOf(socket)
    const held = client === undefined ? 0 : (this.#byClient.get(client) ?? 0)
    if (held >= this.#limits.perClient) {
      this.#refuse(socket, 'per-client')
      return
    }
    this.#open++
    if (client !== undefined) this.#byClient.set(client, held + 1)
    socket.once('close', () => this.#leave(client))
  }

  #refuse(socket: Socket, reason: GateReason): void {
    this.#refused++
    socket.destroy()
    this.#onRefused(reason)
  }

  #leave(client: string | undefined): void {
    this.#open--
    if (client === undefined) return
    const left = this.#byClient.get(client)! - 1
    if (left === 0) this.#byClient.delete(client)
    else this.#byClient.set(client, left)
  }

  /** Undefined for one that is not counted by client. */
  #clientOf({ remoteAddress = '' }: Socket): string | undefined {
    const { perClient, isProxy } = this.#limits
    if (perClient === Number.POSITIVE_INFINITY || isProxy(remoteAddress)) return undefined
    return clientKey(remoteAddress)
  }
}

const groups = new Uint16Array(8)

/** An IPv4 address as it is, of an IPv6 address the first 64 bits. */
export function clientKey(address: string): string {
  if (address.includes('.') || !parseIpv6(address, groups)) return address
  return groups.subarray(0, 4).join(':')
}
