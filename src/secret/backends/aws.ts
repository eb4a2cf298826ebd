import { parseFields } from '../secret-document.ts'
import { SecretFailure } from '../secret-failure.ts'
import { signAws } from './aws-signature.ts'
import type { CreateBackend } from './backend.ts'
import { optionalText, requiredText, requiredUrl } from './config.ts'

const HEADERS = {
  'Content-Type': 'application/x-amz-json-1.1',
  'X-Amz-Target': 'secretsmanager.GetSecretValue',
}

/** AWS Secrets Manager: the current version of the secret that the path names (contract §1.11). */
export const createAws: CreateBackend = (config, { fetch, wallMs }) => {
  const credentials = {
    accessKeyId: requiredText(config, 'access_key_id'),
    secretAccessKey: requiredText(config, 'secret_access_key'),
    sessionToken: optionalText(config, 'session_token'),
  }
  const region = optionalText(config, 'region') ?? 'us-east-1'
  const endpoint = optionalText(config, 'endpoint_url') ?? `https://secretsmanager.${region}.amazonaws.com`
  const url = `${requiredUrl(endpoint, 'endpoint_url')}/`
  return {
    async fetch(path, signal) {
      const request = {
        method: 'POST' as const,
        url,
        headers: HEADERS,
        body: JSON.stringify({ SecretId: path, VersionStage: 'AWSCURRENT' }),
      }
      const scope = { region, service: 'secretsmanager', credentials, wallMs: wallMs() }
      const { status, body } = await fetch({ ...request, headers: signAws(request, scope) }, signal)
      if (status !== 200) throw refusal(status, body)
      const text = parseFields(body)?.['SecretString']
      if (typeof text !== 'string') throw new SecretFailure('AWS answered without "SecretString"')
      return { text }
    },
  }
}

/** AWS names its errors by a word, which is all that is shown of an answer: `ResourceNotFoundException`. */
function refusal(status: number, body: string): SecretFailure {
  const type = parseFields(body)?.['__type']
  const word = typeof type === 'string' ? /(?:^|#)([A-Za-z]{1,64})$/.exec(type)?.[1] : undefined
  const reason = word === undefined ? `AWS answered ${status}` : `AWS answered ${status}: ${word}`
  return new SecretFailure(reason, { isAbsent: word === 'ResourceNotFoundException' })
}
