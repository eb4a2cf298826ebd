import { createPrivateKey } from 'node:crypto'
import type * as Oidc from 'openid-client'
import type { InstanceHost } from '../../src/plugin/api.ts'
import { ProviderError } from './errors.ts'
import { compileFetch, type Fetch } from './http-fetch.ts'
import type { OpenidConnectConfig } from './schema.ts'

/** The provider as its discovery document describes it, and the library that speaks to it. */
export interface OpenProvider {
  readonly library: typeof Oidc
  readonly metadata: Oidc.ServerMetadata
  /** For the token, userinfo and revocation endpoints. */
  readonly client: Oidc.Configuration
  /** For one call to the introspection endpoint, with headers of the client's request. */
  introspector(
    extraHeaders: Readonly<Record<string, readonly string[]>>,
    signal: AbortSignal,
  ): Oidc.Configuration
}

const DISCOVERED_FOR_MS = 3_600_000
/** After a failure nobody asks again for so long: else a provider in trouble gets a call for each request. */
const PAUSE_MS = 1000

/** One configuration's view of its provider: asked when it is first needed, and again once in a while. */
export class Provider {
  readonly fetch: Fetch
  readonly #config: OpenidConnectConfig
  readonly #host: InstanceHost
  #opened: Promise<OpenProvider> | undefined
  #staleAt = 0

  constructor(config: OpenidConnectConfig, host: InstanceHost) {
    this.#config = config
    this.#host = host
    this.fetch = compileFetch(host.http, callOptions(config))
  }

  /** Rejects with {@link ProviderError} when there is no discovery document to be had. */
  open(): Promise<OpenProvider> {
    const now = this.#host.clock.monotonic()
    if (this.#opened && now < this.#staleAt) return this.#opened
    this.#staleAt = now + DISCOVERED_FOR_MS
    const opened = this.#discover(this.#opened)
    this.#opened = opened
    opened.catch(() => {
      this.#staleAt = this.#host.clock.monotonic() + PAUSE_MS
    })
    return opened
  }

  /** A provider that was known once stays so when it cannot be asked anew. */
  async #discover(previous: Promise<OpenProvider> | undefined): Promise<OpenProvider> {
    try {
      return await openProvider(this.#config, this.#host, this.fetch)
    } catch (error) {
      this.#host.logger.error({ err: error }, 'the discovery document of the provider cannot be had')
      const known = await previous?.catch(() => undefined)
      if (known) return known
      throw new ProviderError('the discovery document of the provider cannot be had', { cause: error })
    }
  }
}

function callOptions({ timeout, ssl_verify }: OpenidConnectConfig) {
  return { timeoutMs: timeout * 1000, tls: { verify: ssl_verify } }
}

async function openProvider(
  config: OpenidConnectConfig,
  host: InstanceHost,
  fetch: Fetch,
): Promise<OpenProvider> {
  const library = await import('openid-client')
  const metadata = await discover(config.discovery, fetch)
  const algorithm = config.token_signing_alg_values_expected
  const about: Partial<Oidc.ClientMetadata> = {
    [library.clockTolerance]: config.iat_slack,
    ...(algorithm !== undefined && { id_token_signed_response_alg: algorithm }),
  }
  const configure = (server: Oidc.ServerMetadata, method: string, ownFetch: Fetch) => {
    const auth = clientAuth(library, config, method)
    const one = new library.Configuration(server, config.client_id, about, auth)
    // The calls have a time limit of their own; the library's would outlive them as a timer.
    one.timeout = undefined
    one[library.customFetch] = ownFetch as Oidc.CustomFetch
    if (isPlain(config.discovery)) library.allowInsecureRequests(one)
    return one
  }
  const client = configure(metadata, config.token_endpoint_auth_method, fetch)
  // Else a signature would not be looked at when the token comes over TLS.
  library.enableNonRepudiationChecks(client)
  const endpoint = config.introspection_endpoint ?? metadata.introspection_endpoint
  const introspected = endpoint === undefined ? metadata : { ...metadata, introspection_endpoint: endpoint }
  return {
    library,
    metadata,
    client,
    introspector(extraHeaders, signal) {
      const ownFetch = compileFetch(host.http, { ...callOptions(config), signal }, extraHeaders)
      const one = configure(introspected, config.introspection_endpoint_auth_method, ownFetch)
      if (endpoint !== undefined && isPlain(endpoint)) library.allowInsecureRequests(one)
      return one
    },
  }
}

function isPlain(url: string): boolean {
  return url.toLowerCase().startsWith('http:')
}

async function discover(url: string, fetch: Fetch): Promise<Oidc.ServerMetadata> {
  const response = await fetch(url, { headers: { accept: 'application/json' } })
  if (response.status !== 200) throw new ProviderError(`it was answered with status ${response.status}`)
  const document = (await response.json().catch(() => undefined)) as { issuer?: unknown } | undefined
  if (typeof document?.issuer !== 'string') throw new ProviderError('it is no JSON object with an issuer')
  return document as Oidc.ServerMetadata
}

function clientAuth(library: typeof Oidc, config: OpenidConnectConfig, method: string): Oidc.ClientAuth {
  const { client_secret: secret = '', client_jwt_assertion_expires_in: lifeSeconds } = config
  const options = {
    [library.modifyAssertion]: (_header: unknown, payload: Record<string, unknown>) => {
      payload['exp'] = (payload['iat'] as number) + lifeSeconds
    },
  } as Oidc.ModifyAssertionOptions
  if (method === 'client_secret_post') return library.ClientSecretPost(secret)
  if (method === 'client_secret_jwt') return library.ClientSecretJwt(secret, options)
  if (method === 'private_key_jwt') return privateKeyAuth(library, config, options)
  return method === 'none' ? library.None() : library.ClientSecretBasic(secret)
}

/** The key is made usable at the first call, because that takes a promise; the proof itself is made for each call. */
function privateKeyAuth(
  library: typeof Oidc,
  config: OpenidConnectConfig,
  options: Oidc.ModifyAssertionOptions,
): Oidc.ClientAuth {
  const { client_rsa_private_key: pem = '', client_rsa_private_key_id: kid } = config
  let key: ReturnType<typeof importKey> | undefined
  return async (...call) => {
    key ??= importKey(pem)
    const prove = library.PrivateKeyJwt({ key: await key, ...(kid !== undefined && { kid }) }, options)
    await prove(...call)
  }
}

async function importKey(pem: string) {
  const pkcs8 = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' })
  return crypto.subtle.importKey('pkcs8', pkcs8, { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, false, [
    'sign',
  ])
}
