import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'

export interface IdentityProvider {
  readonly issuer: string
  /** URL of the discovery document. */
  readonly discovery: string
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
  /** Paths that were asked for, in order. */
  readonly asked: readonly string[]
  /** A token for a machine: a JWT for the audience `api` with scope `read`, or one that means nothing to others. */
  machineToken(format: 'jwt' | 'opaque'): Promise<string>
}

/** Whoever runs the clean-up: a test's context, or `{ after }` of a file. */
export interface ProviderOwner {
  after(release: () => void): void
}

export interface IdentityProviderOptions {
  /** What the provider knows of the gateway beyond its id and secret. */
  readonly client?: Readonly<Record<string, unknown>>
  /** Whoever comes is called so. */
  readonly name?: string
}

export const CLIENT = { client_id: 'gateway', client_secret: 'gateway-secret-0123456789' }
const MACHINES = { jwt: 'urn:jwt', opaque: 'urn:opaque' }

/** One pair for all providers of a test file: making it takes a quarter of a second. */
let keys: { readonly privateKey: KeyObject; readonly publicKey: KeyObject } | undefined

/** A whole OpenID provider on a free port, at which everybody who comes is `jack` and agrees to everything. `redirectUris` are the gateway's. */
export async function startIdentityProvider(
  owner: ProviderOwner,
  redirectUris: readonly string[] = ['http://127.0.0.1/callback'],
  { client = {}, name = 'Jack' }: IdentityProviderOptions = {},
): Promise<IdentityProvider> {
  const asked: string[] = []
  let answer = (_request: IncomingMessage, response: ServerResponse) => void response.end()
  const server = createServer((request, response) => {
    asked.push(request.url!.split('?', 1)[0]!)
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  owner.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  keys ??= generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { privateKey, publicKey } = keys
  const jwk = { ...privateKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' }
  const provider = new Provider(issuer, configuration(jwk, redirectUris, { client, name }))
  const serve = provider.callback()
  answer = (request, response) => {
    if (request.url!.startsWith('/agree/')) void agree(provider, request, response)
    else serve(request, response)
  }
  return {
    issuer,
    discovery: `${issuer}/.well-known/openid-configuration`,
    publicKey,
    privateKey,
    asked,
    async machineToken(format) {
      const body = new URLSearchParams({
        grant_type: 'client_credentials',
        scope: 'read',
        resource: MACHINES[format],
      })
      const authorization = `Basic ${Buffer.from(`${CLIENT.client_id}:${CLIENT.client_secret}`).toString('base64')}`
      const response = await fetch(`${issuer}/token`, { method: 'POST', headers: { authorization }, body })
      const { access_token } = (await response.json()) as { access_token: string }
      return access_token
    },
  }
}

function configuration(
  jwk: object,
  redirectUris: readonly string[],
  { client, name }: Required<IdentityProviderOptions>,
) {
  return {
    jwks: { keys: [jwk] },
    clients: [
      {
        ...CLIENT,
        redirect_uris: redirectUris,
        post_logout_redirect_uris: redirectUris.map((uri) => new URL('/bye', uri).href),
        grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
        ...client,
      },
    ],
    cookies: { keys: ['cookie-key'] },
    pkce: { required: () => false },
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/agree/${uid}` },
    findAccount: (_context: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, name, email: 'jack@a.test' }),
    }),
    claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
    scopes: ['openid', 'offline_access', 'profile', 'email', 'read'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context: unknown, resource: string) => ({
          scope: 'read write',
          audience: 'api',
          accessTokenFormat: resource === MACHINES.jwt ? 'jwt' : 'opaque',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    ttl: {
      AccessToken: 600,
      ClientCredentials: 600,
      IdToken: 600,
      RefreshToken: 6000,
      Session: 6000,
      Grant: 6000,
      Interaction: 600,
    },
  }
}

/** In place of a page with a form: whoever comes is logged in and has agreed. */
async function agree(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, response)
  if (prompt.name === 'login') {
    await provider.interactionFinished(request, response, { login: { accountId: 'jack' } })
    return
  }
  const grant = new provider.Grant({ accountId: session!.accountId, clientId: params['client_id'] as string })
  grant.addOIDCScope(params['scope'] as string)
  const consent = { grantId: await grant.save() }
  await provider.interactionFinished(request, response, { consent })
}
