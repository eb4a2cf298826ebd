import { createPrivateKey, createPublicKey } from 'node:crypto'
import { ConfigError } from '../../src/plugin/api.ts'
import { checkServiceUrl } from '../_shared/callout/service-url.ts'
import { isHeaderName } from '../_shared/headers/value.ts'
import { ALGORITHMS } from './algorithms.ts'
import type { OpenidConnectConfig } from './schema.ts'

/** Why what is asked for cannot be had; by attribute. */
const NOT_SERVED: Readonly<Record<string, string>> = {
  par: 'pushed authorization requests are not served',
  dpop: 'tokens bound to a key are not served',
  proxy_opts: 'providers behind a proxy are not served',
  claim_schema: 'schemas for claims are not served; use claim_validator',
  refresh_session_interval: 'silent logins are not served; use session.absolute_timeout',
}

const REFERENCE = /^\$(?:secret|env):\/\//i

function isKey(pem: string, parse: (pem: string) => unknown): boolean {
  if (REFERENCE.test(pem)) return true
  try {
    parse(pem)
    return true
  } catch {
    // What the parser says is of no use to people, and might quote the key.
    return false
  }
}

const SECRET_METHODS: readonly string[] = ['client_secret_basic', 'client_secret_post', 'client_secret_jwt']

/** Rules that the schema cannot say. Throws {@link ConfigError}; what cannot be served is refused, never ignored. */
export function checkRules(config: OpenidConnectConfig): void {
  for (const [name, reason] of Object.entries(NOT_SERVED)) {
    if (config[name] !== undefined)
      throw new ConfigError(`property "${name}" cannot be used: ${reason}; remove it`)
  }
  if (config.accept_none_alg) {
    throw new ConfigError(
      'property "accept_none_alg" cannot be true: a token without signature proves nothing; remove it',
    )
  }
  if (config.force_reauthorize) {
    throw new ConfigError(
      'property "force_reauthorize" cannot be true: a login for each request is not served; remove it',
    )
  }
  if (!config.bearer_only && config.session === undefined) {
    throw new ConfigError('property "session.secret" is required when "bearer_only" is false')
  }
  checkServiceUrl(config.discovery, 'discovery')
  if (config.introspection_endpoint !== undefined)
    checkServiceUrl(config.introspection_endpoint, 'introspection_endpoint')
  checkTokens(config)
  checkClient(config)
  checkLogin(config)
}

function checkTokens(config: OpenidConnectConfig): void {
  const { token_signing_alg_values_expected: algorithm, public_key: key } = config
  if (algorithm !== undefined && !ALGORITHMS.includes(algorithm)) {
    throw new ConfigError(
      `property "token_signing_alg_values_expected" is ${JSON.stringify(algorithm)}; use one of ${ALGORITHMS.join(', ')}`,
    )
  }
  if (key !== undefined && !isKey(key, createPublicKey)) {
    throw new ConfigError(
      'property "public_key" is no public key in PEM; give one that begins with -----BEGIN PUBLIC KEY-----',
    )
  }
}

/** How the gateway proves who it is, where it has to. */
function checkClient(config: OpenidConnectConfig): void {
  const asksForTokens = !config.bearer_only
  const introspects = config.public_key === undefined && !config.use_jwks
  const used: string[] = []
  if (asksForTokens) used.push(config.token_endpoint_auth_method)
  if (introspects && (config.bearer_only || config.introspection_endpoint !== undefined)) {
    used.push(config.introspection_endpoint_auth_method)
  }
  if (used.some((method) => SECRET_METHODS.includes(method)) && config.client_secret === undefined) {
    throw new ConfigError('property "client_secret" is required')
  }
  if (used.includes('private_key_jwt') && config.client_rsa_private_key === undefined) {
    throw new ConfigError('property "client_rsa_private_key" is required when "private_key_jwt" is used')
  }
  const { client_rsa_private_key: key } = config
  if (key !== undefined && !isKey(key, createPrivateKey)) {
    throw new ConfigError(
      'property "client_rsa_private_key" is no private key in PEM; give one without a passphrase',
    )
  }
  const bad = config.introspection_addon_headers?.find((name) => !isHeaderName(name))
  if (bad !== undefined)
    throw new ConfigError(`${JSON.stringify(bad)} cannot be the name of a header; use letters, digits and -`)
}

function checkLogin({
  redirect_uri,
  post_logout_redirect_uri,
  authorization_params = {},
}: OpenidConnectConfig): void {
  for (const [name, uri] of Object.entries({ redirect_uri, post_logout_redirect_uri })) {
    if (uri === undefined || uri.startsWith('/')) continue
    checkServiceUrl(uri, name)
  }
  if (redirect_uri !== undefined && /[?#]/.test(redirect_uri)) {
    throw new ConfigError(
      'property "redirect_uri" has a query or a fragment; the provider adds its own, remove it',
    )
  }
  for (const [name, value] of Object.entries(authorization_params)) {
    if (!['string', 'number', 'boolean'].includes(typeof value)) {
      throw new ConfigError(`authorization_params "${name}" is neither text nor number; give one of them`)
    }
  }
}
