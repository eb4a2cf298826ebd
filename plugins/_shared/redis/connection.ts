import type { Cluster } from 'ioredis'
import type { Clock, Logger, TlsCheck } from '../../../src/plugin/api.ts'
import { connectClient, DISCONNECT_MS, makeClient, type RedisClient } from './client.ts'
import { keySlot } from './key-slot.ts'
import { Pauses } from './pauses.ts'
import type { RedisScript } from './script.ts'
import type { RedisTarget } from './target.ts'

/** Redis could not be asked, or has not answered in time. */
export class RedisUnavailableError extends Error {
  override readonly name = 'RedisUnavailableError'
  /** Whether redis may have done what it was asked, or will do it yet. */
  readonly wasAsked: boolean

  constructor(message: string, wasAsked = false) {
    super(message)
    this.wasAsked = wasAsked
  }
}

const CLOSE_TIMEOUT_MS = 500
const SLOTS_REFRESH_MS = 2000

export interface ConnectionParts {
  readonly logger: Logger
  readonly clock: Clock
  tlsOptions(isVerified: boolean): TlsCheck
}

/**
 * A connection that is opened at once and restored whenever it breaks. Nobody waits for it but those who come before its first
 * attempt has ended; from then on what cannot be asked fails at once.
 */
export class RedisConnection {
  readonly #target: RedisTarget
  readonly #parts: ConnectionParts
  readonly #pauses = new Pauses()
  readonly #opened: Promise<RedisClient>
  #client: RedisClient | undefined
  #refresh: NodeJS.Timeout | undefined
  #isClosed = false
  #isTroubled = false

  constructor(target: RedisTarget, parts: ConnectionParts) {
    this.#target = target
    this.#parts = parts
    this.#opened = this.#open()
    // Each caller is told; there may be none.
    this.#opened.catch(() => {})
  }

  /** Runs a script on one key, atomically. Rejects with what redis said, or with {@link RedisUnavailableError}. */
  async run(script: RedisScript, key: string, args: readonly (string | number)[]): Promise<unknown> {
    const client = this.#client ?? (await this.#opened)
    const part = partOf(client, key)
    const { clock } = this.#parts
    const startedAt = clock.monotonic()
    const isConnected = client.status === 'ready'
    if (!this.#pauses.mayAsk(part, startedAt)) {
      throw new RedisUnavailableError(`redis at ${this.#label()} does not answer`)
    }
    try {
      const reply = await evaluate(client, script, [key, ...args])
      this.#pauses.answered(part)
      return reply
    } catch (error) {
      if (isReply(error)) {
        this.#pauses.answered(part)
        throw error
      }
      const now = clock.monotonic()
      this.#pauses.failed(part, now - startedAt, now)
      const reason = reasonOf(error as Error, isConnected)
      throw new RedisUnavailableError(`redis at ${this.#label()}: ${reason}`, isConnected)
    }
  }

  /** Settles when nothing of it is left. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#refresh)
    const client = this.#client ?? (await this.#opened.catch(() => undefined))
    if (!client || client.status === 'end') return
    const isConnected = client.status === 'ready' || client.status === 'connect'
    const ends = (client.isCluster ? [client, ...(client as Cluster).nodes('all')] : [client]).map(ended)
    client.disconnect()
    if (isConnected) await atMost(Promise.all(ends), CLOSE_TIMEOUT_MS)
    else await new Promise((resolve) => setTimeout(resolve, 2 * DISCONNECT_MS))
  }

  async #open(): Promise<RedisClient> {
    const client = await makeClient(this.#target, (isVerified) => this.#parts.tlsOptions(isVerified))
    client.on('error', (error: Error) => this.#noteTrouble(error))
    client.on('close', () => this.#noteTrouble(new Error('the connection has ended')))
    client.on('ready', () => this.#noteReady())
    if (!this.#isClosed) {
      // An attempt that fails is followed by others, which the client makes by itself.
      const attempt = connectClient(client).catch((error: Error) => this.#noteTrouble(error))
      await atMost(attempt, this.#target.connectTimeoutMs)
      if (client.isCluster) this.#refreshSlots(client as Cluster)
    }
    this.#client = client
    return client
  }

  /** The client's own interval would go on after its end. */
  #refreshSlots(cluster: Cluster): void {
    if (this.#isClosed) return
    this.#refresh = setInterval(() => {
      if (cluster.status === 'ready') cluster.refreshSlotsCache()
    }, SLOTS_REFRESH_MS).unref()
  }

  #noteTrouble(error: Error): void {
    if (this.#isTroubled || this.#isClosed) return
    this.#isTroubled = true
    this.#parts.logger.warn({ redis: this.#label(), reason: error.message }, 'redis cannot be reached')
  }

  #noteReady(): void {
    if (!this.#isTroubled) return
    this.#isTroubled = false
    this.#parts.logger.info({ redis: this.#label() }, 'redis can be reached again')
  }

  #label(): string {
    return this.#target.addresses.map(({ host, port }) => `${host}:${port}`).join(', ')
  }
}

function ended(client: Pick<RedisClient, 'once'>): Promise<void> {
  return new Promise((resolve) => void client.once('end', resolve))
}

async function evaluate(
  client: RedisClient,
  { sha, source }: RedisScript,
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await client.evalsha(sha, 1, ...args)
  } catch (error) {
    // A server that was started anew has forgotten it.
    if (!(error as Error).message.startsWith('NOSCRIPT')) throw error
    return client.eval(source, 1, ...args)
  }
}

/** The node of a cluster that has the key: one that does not answer says nothing about the others. */
function partOf(client: RedisClient, key: string): string {
  return client.isCluster ? ((client as { slots?: string[][] }).slots?.[keySlot(key)]?.[0] ?? '') : ''
}

/** The client speaks of its own options to who asks without a connection. */
function reasonOf({ message }: Error, isConnected: boolean): string {
  return isConnected && !message.includes('enableOfflineQueue') ? message : 'not connected'
}

function isReply(error: unknown): boolean {
  return (error as Error).name === 'ReplyError'
}

async function atMost(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
