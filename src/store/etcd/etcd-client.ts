import { readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import { Etcd3, type IOptions } from 'etcd3'
import { hostPolicy, retryOnOtherHosts } from './host-policy.ts'

export interface EtcdClientOptions {
  /** `http://host:port` or `https://host:port`, at least one, all of the same scheme. */
  readonly hosts: readonly string[]
  readonly user?: string
  /** Never logged, never part of an error. */
  readonly password?: string
  readonly tls?: EtcdTls
  /** Longest time for one call, in ms. Default 5,000. */
  readonly timeoutMs?: number
}

/** PEM text or paths of PEM files. */
export interface EtcdTls {
  /** Authorities to trust instead of those that Node ships. */
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  /** False accepts any certificate of the server. Default true. */
  readonly verify?: boolean
  /** Name to ask for and to check instead of the host's. */
  readonly sni?: string
}

export const DEFAULT_TIMEOUT_MS = 5000

/** Numbers: etcd refuses pings more often than every 5 s, and pings without a call (node-packages.md §1.6, step 1). */
const CHANNEL_OPTIONS = {
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 0,
  'grpc.max_receive_message_length': 128 * 1024 * 1024,
  'grpc.max_send_message_length': 128 * 1024 * 1024,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 5_000,
  // Connections of its own: out of the shared pool a new client would get the silent connection that the old one gave up.
  'grpc.use_local_subchannel_pool': 1,
}

/** Opens no connection yet. Throws a TypeError for hosts that cannot be used. The caller closes the client. */
export function createEtcdClient(options: EtcdClientOptions): Etcd3 {
  checkHosts(options.hosts)
  const { user, password, tls, timeoutMs = DEFAULT_TIMEOUT_MS } = options
  const isSecure = options.hosts.every((host) => host.startsWith('https:'))
  const credentials = isSecure ? credentialsOf(tls) : undefined
  const client = new Etcd3({
    hosts: [...options.hosts],
    grpcOptions: { ...CHANNEL_OPTIONS, ...(tls?.sni ? serverName(tls.sni) : {}) },
    defaultCallOptions: (call) => (call.isStream ? {} : { deadline: Date.now() + timeoutMs }),
    faultHandling: {
      global: retryOnOtherHosts(options.hosts.length),
      host: hostPolicy(options.hosts.length),
    },
    ...(user === undefined ? {} : { auth: { username: user, password: password ?? '' } }),
    ...(credentials ? { credentials } : {}),
  })
  if (credentials && tls?.verify === false) acceptAnyCertificate(client, credentials)
  return client
}

/** Endpoints for messages. */
export function describeHosts(hosts: readonly string[]): string {
  return hosts.join(', ')
}

function checkHosts(hosts: readonly string[]): void {
  if (hosts.length === 0) throw new TypeError('etcd needs at least one host, such as http://127.0.0.1:2379')
  for (const host of hosts) {
    const url = URL.canParse(host) ? new URL(host) : undefined
    if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.pathname !== '/') {
      throw new TypeError(
        `the etcd host ${JSON.stringify(withoutCredentials(host))} cannot be used; write http://host:port or https://host:port`,
      )
    }
  }
  if (new Set(hosts.map((host) => new URL(host).protocol)).size > 1) {
    throw new TypeError(`etcd hosts mix http and https: ${describeHosts(hosts)}; use one of them`)
  }
}

function withoutCredentials(host: string): string {
  return host.replace(/\/\/[^/]*@/, '//…@')
}

type Credentials = NonNullable<IOptions['credentials']>

function credentialsOf(tls: EtcdTls = {}): Credentials {
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new TypeError('etcd needs both tls.cert and tls.key, or neither')
  }
  return {
    rootCertificate: tls.ca === undefined ? Buffer.from(rootCertificates.join('\n')) : pem(tls.ca),
    ...(tls.key === undefined ? {} : { privateKey: pem(tls.key) }),
    ...(tls.cert === undefined ? {} : { certChain: pem(tls.cert) }),
  }
}

function pem(textOrPath: string): Buffer {
  return textOrPath.includes('-----BEGIN') ? Buffer.from(textOrPath) : readFileSync(textOrPath)
}

function serverName(sni: string): Record<string, string> {
  return { 'grpc.ssl_target_name_override': sni, 'grpc.default_authority': sni }
}

interface SslFactory {
  createSsl(
    ca: Buffer,
    key: Buffer | null,
    cert: Buffer | null,
    verify: { rejectUnauthorized: boolean },
  ): unknown
}

interface ClientInside {
  readonly pool: {
    readonly hosts: { channelCredentials: { constructor: unknown } }[]
    readonly authenticator: { credentials: unknown }
  }
}

/** etcd3 passes no verify options on, so the credentials it made are replaced before the first connection. */
function acceptAnyCertificate(client: Etcd3, { rootCertificate, privateKey, certChain }: Credentials): void {
  const { pool } = client as unknown as ClientInside
  for (const host of pool.hosts) {
    const factory = host.channelCredentials.constructor as SslFactory
    const verify = { rejectUnauthorized: false }
    const lax = factory.createSsl(rootCertificate, privateKey ?? null, certChain ?? null, verify)
    host.channelCredentials = lax as { constructor: unknown }
    pool.authenticator.credentials = lax
  }
}
