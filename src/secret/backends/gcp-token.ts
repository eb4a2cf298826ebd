import { createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { parseFields } from '../secret-document.ts'
import { SecretFailure } from '../secret-failure.ts'
import type { BackendDeps, ManagerConfig } from './backend.ts'
import { optionalText, requiredText, requiredUrl } from './config.ts'

/** A service account, ready to sign with. */
interface Account {
  readonly clientEmail: string
  readonly key: KeyObject
  readonly projectId: string
  readonly tokenUri: string
  readonly entriesUri: string
  readonly scope: string
}

/** A token and the account it was given to. */
export interface Access {
  readonly token: string
  readonly account: Account
  /** On the monotonic clock. */
  readonly expiresAtMs: number
}

export interface TokenSource {
  /** A token that is valid for a while yet. Several callers share one request. */
  access(): Promise<Access>
  /** The token was refused: the next call asks for another one. */
  forget(access: Access): void
}

interface TokenDeps extends BackendDeps {
  readonly isVerified: boolean
}

const TOKEN_TIMEOUT_MS = 5000
/** Life that is asked for; Google gives no more. */
const TOKEN_LIFE_S = 3600
/** A token is not used in its last minute, so that it does not end on its way. */
const SPARE_MS = 60_000

/** Trades a service account's signature for access tokens (RFC 7523). `auth_file` is read anew for each token. */
export function createTokenSource(config: ManagerConfig, deps: TokenDeps): TokenSource {
  const inline = config['auth_config']
  const account = isConfig(inline) ? readAccount(inline) : undefined
  const file = account === undefined ? requiredText(config, 'auth_file') : ''
  let current: Access | undefined
  let pending: Promise<Access> | undefined
  const renew = async (): Promise<Access> => requestToken(account ?? (await readAccountFile(file)), deps)
  return {
    access() {
      if (current && current.expiresAtMs > deps.nowMs()) return Promise.resolve(current)
      pending ??= renew()
        .then((access) => {
          current = access
          return access
        })
        .finally(() => {
          pending = undefined
        })
      return pending
    },
    forget(access) {
      if (current === access) current = undefined
    },
  }
}

async function requestToken(account: Account, deps: TokenDeps): Promise<Access> {
  const signal = AbortSignal.any([deps.lifetime, AbortSignal.timeout(TOKEN_TIMEOUT_MS)])
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: signAssertion(account, Math.floor(deps.wallMs() / 1000)),
  })
  const { status, body } = await deps.fetch(
    {
      method: 'POST',
      url: account.tokenUri,
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
      isVerified: deps.isVerified,
    },
    signal,
  )
  const answer = parseFields(body)
  const token = answer?.['access_token']
  if (status !== 200 || typeof token !== 'string') throw refusal(status, answer?.['error'])
  const life = answer?.['expires_in']
  const lifeMs = (typeof life === 'number' && life > 0 ? life : TOKEN_LIFE_S) * 1000
  return { token, account, expiresAtMs: deps.nowMs() + Math.max(lifeMs - SPARE_MS, 0) }
}

function signAssertion(account: Account, nowS: number): string {
  const claims = {
    iss: account.clientEmail,
    scope: account.scope,
    aud: account.tokenUri,
    iat: nowS,
    exp: nowS + TOKEN_LIFE_S,
  }
  const text = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode(claims)}`
  return `${text}.${sign('RSA-SHA256', Buffer.from(text), account.key).toString('base64url')}`
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

/** OAuth names its errors by a word, which is all that is shown of an answer: `invalid_grant`. */
function refusal(status: number, error: unknown): SecretFailure {
  const word = typeof error === 'string' && /^[a-z_]{1,64}$/.test(error) ? `: ${error}` : ''
  return new SecretFailure(`the token server of Google Cloud answered ${status}${word}`)
}

async function readAccountFile(path: string): Promise<Account> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new SecretFailure(
      `the auth_file "${path}" cannot be read (${(error as NodeJS.ErrnoException).code})`,
    )
  }
  const config = parseFields(text)
  if (config === undefined) throw new SecretFailure(`the auth_file "${path}" is no JSON object`)
  return readAccount(config)
}

function readAccount(config: ManagerConfig): Account {
  const scope = config['scope']
  const tokenUri = optionalText(config, 'token_uri') ?? 'https://oauth2.googleapis.com/token'
  const entriesUri = optionalText(config, 'entries_uri') ?? 'https://secretmanager.googleapis.com/v1'
  return {
    clientEmail: requiredText(config, 'client_email'),
    key: readKey(requiredText(config, 'private_key')),
    projectId: requiredText(config, 'project_id'),
    tokenUri: requiredUrl(tokenUri, 'token_uri'),
    entriesUri: requiredUrl(entriesUri, 'entries_uri'),
    scope: Array.isArray(scope) ? scope.join(' ') : 'https://www.googleapis.com/auth/cloud-platform',
  }
}

function readKey(pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem)
    if (key.asymmetricKeyType === 'rsa') return key
  } catch {
    // The engine's reason is about the encoding of a secret; what to do is the same for all of them.
  }
  throw new SecretFailure('"private_key" is no RSA key in PEM form')
}

function isConfig(value: unknown): value is ManagerConfig {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
