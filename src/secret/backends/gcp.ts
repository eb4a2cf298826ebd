import type { SecretResponse } from '../http-fetch.ts'
import { parseFields } from '../secret-document.ts'
import { SecretFailure } from '../secret-failure.ts'
import type { CreateBackend } from './backend.ts'
import { type Access, createTokenSource } from './gcp-token.ts'

/** Google Cloud Secret Manager: the latest version of the secret that the path names (contract §1.11). */
export const createGcp: CreateBackend = (config, deps) => {
  const isVerified = config['ssl_verify'] !== false
  const tokens = createTokenSource(config, { ...deps, isVerified })
  return {
    async fetch(path, signal) {
      const access = await tokens.access()
      signal.throwIfAborted()
      const headers = { Authorization: `Bearer ${access.token}` }
      const answer = await deps.fetch(
        { method: 'GET', url: addressOf(path, access), headers, isVerified },
        signal,
      )
      if (answer.status === 401) tokens.forget(access)
      if (answer.status !== 200) throw refusal(answer)
      return { text: readPayload(answer.body) }
    },
  }
}

function addressOf(path: string, { account }: Access): string {
  const secret = `projects/${encodeURIComponent(account.projectId)}/secrets/${encodeURIComponent(path)}`
  return `${account.entriesUri}/${secret}/versions/latest:access`
}

function readPayload(body: string): string {
  const payload = parseFields(body)?.['payload']
  const data = typeof payload === 'object' && payload !== null && 'data' in payload ? payload.data : undefined
  if (typeof data !== 'string') throw new SecretFailure('Google Cloud answered without "payload.data"')
  return Buffer.from(data, 'base64').toString('utf8')
}

/** Google names its errors by a word, which is all that is shown of an answer: `PERMISSION_DENIED`. */
function refusal({ status, body }: SecretResponse): SecretFailure {
  const error = parseFields(body)?.['error']
  const found = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined
  const word = typeof found === 'string' && /^[A-Z_]{1,64}$/.test(found) ? found : undefined
  const reason =
    word === undefined ? `Google Cloud answered ${status}` : `Google Cloud answered ${status}: ${word}`
  return new SecretFailure(reason, { isAbsent: status === 404 })
}
