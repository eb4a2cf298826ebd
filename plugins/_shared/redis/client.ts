import type { Cluster, Redis } from 'ioredis'
import type { TlsCheck } from '../../../src/plugin/api.ts'
import type { RedisTarget } from './target.ts'

type CheckTls = (isVerified: boolean) => TlsCheck

/** What the client library offers for one server and for many. */
export type RedisClient = Redis | Cluster

const FIRST_RETRY_MS = 50
const LONGEST_RETRY_MS = 2000
/** For how long the client waits for a stream that it has ended, even if that was broken before. */
export const DISCONNECT_MS = 50
const MAX_REDIRECTIONS = 4

/** Loads the client library, which costs nothing until somebody uses redis, and makes an unconnected client. */
export async function makeClient(target: RedisTarget, check: CheckTls): Promise<RedisClient> {
  const library = await import('ioredis')
  if (target.kind !== 'redis-cluster') return new library.Redis(serverOptions(target, check))
  const cluster = new library.Cluster([...target.addresses], clusterOptions(target, check))
  // Else a node is connected to by its first command, and others that come meanwhile would fail.
  cluster.on('+node', (node: Redis) => void (node.options.readOnly || connectNode(node)))
  return cluster
}

/** Connects to the server, or to all masters of the cluster. Rejects when that fails; the client goes on trying by itself. */
export async function connectClient(client: RedisClient): Promise<void> {
  await client.connect()
  if (client.isCluster) await Promise.all((client as Cluster).nodes('master').map(whenReady))
}

function connectNode(node: Redis): void {
  // A failure shows in the commands.
  if (node.status === 'wait') node.connect().catch(() => {})
}

async function whenReady(node: Redis): Promise<void> {
  if (node.status === 'ready' || node.status === 'end') return
  await new Promise<void>((resolve) => {
    node.once('ready', resolve)
    node.once('end', resolve)
  })
}

/**
 * No command waits for a connection that is not there, and none is sent twice: what was under way when a connection broke may
 * have been counted.
 */
function serverOptions(target: RedisTarget, check: CheckTls) {
  return {
    ...connectionOptions(target, check),
    ...where(target),
    lazyConnect: true,
    enableOfflineQueue: false,
    retryStrategy: retryDelay,
    // A master that became a replica: the connection is of no use any more.
    reconnectOnError: ({ message }: Error) => message.startsWith('READONLY'),
  }
}

function connectionOptions(target: RedisTarget, check: CheckTls) {
  const { username, password, database, timeoutMs, connectTimeoutMs, tls } = target
  return {
    username,
    password,
    db: database,
    connectTimeout: connectTimeoutMs,
    commandTimeout: timeoutMs,
    // A peer that has vanished closes nothing.
    socketTimeout: timeoutMs,
    disconnectTimeout: DISCONNECT_MS,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // Understood by every version.
    protocol: 2,
    disableClientInfo: true,
    connectionName: 'gatewright',
    ...(tls && { tls: check(tls.isVerified) }),
  } as const
}

function where({ addresses, sentinel, timeoutMs, connectTimeoutMs }: RedisTarget) {
  const [first] = addresses
  if (!sentinel) return { host: first!.host, port: first!.port }
  return {
    sentinels: addresses.map(({ host, port }) => ({ host, port })),
    name: sentinel.name,
    role: sentinel.role,
    sentinelUsername: sentinel.username,
    sentinelPassword: sentinel.password,
    sentinelCommandTimeout: timeoutMs,
    connectTimeout: connectTimeoutMs,
    sentinelRetryStrategy: retryDelay,
  }
}

function clusterOptions(target: RedisTarget, check: CheckTls) {
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: retryDelay,
    slotsRefreshTimeout: target.connectTimeoutMs,
    maxRedirections: MAX_REDIRECTIONS,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    redisOptions: connectionOptions(target, check),
    // Certificates are for the name that was configured.
    ...(target.tls && { dnsLookup: keepName }),
  }
}

function keepName(name: string, done: (error: null, address: string) => void): void {
  done(null, name)
}

function retryDelay(attempt: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempt, 10), LONGEST_RETRY_MS)
}
