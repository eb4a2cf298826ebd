import { parseFields, type SecretDocument } from '../secret-document.ts'
import { SecretFailure } from '../secret-failure.ts'
import type { CreateBackend } from './backend.ts'
import { encodePath, optionalText, requiredText, requiredUrl } from './config.ts'

/** HashiCorp Vault, KV version 1 (contract §1.11) and, with `data/` in the prefix, version 2. */
export const createVault: CreateBackend = (config, { fetch }) => {
  const uri = requiredUrl(requiredText(config, 'uri'), 'uri')
  const prefix = requiredText(config, 'prefix').replace(/^\/+|\/+$/g, '')
  const token = requiredText(config, 'token')
  const namespace = optionalText(config, 'namespace')
  const headers = {
    'X-Vault-Token': token,
    ...(namespace !== undefined && { 'X-Vault-Namespace': namespace }),
  }
  return {
    async fetch(path, signal) {
      const url = `${uri}/v1/${prefix}/${encodePath(path)}`
      const { status, body } = await fetch({ method: 'GET', url, headers }, signal)
      if (status !== 200) throw refusal(status)
      return readDocument(body)
    },
  }
}

function readDocument(body: string): SecretDocument {
  const data = asFields(parseFields(body)?.['data'])
  if (data === undefined) throw new SecretFailure('Vault answered without "data"')
  return { fields: versionedData(data) ?? data }
}

/** KV version 2 wraps the fields: `{data: {…}, metadata: {version, …}}`. */
function versionedData(
  data: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> | undefined {
  const metadata = asFields(data['metadata'])
  return metadata && Object.hasOwn(metadata, 'version') ? asFields(data['data']) : undefined
}

function asFields(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined
}

const MEANING: Readonly<Record<number, string>> = {
  307: 'it is a standby; put the address of the active server in "uri"',
  400: 'it does not understand the path; check "prefix"',
  403: 'the token may not read this path, or is no longer valid',
  404: 'there is nothing under this path; check "prefix" and the path',
  503: 'it is sealed or in maintenance',
}

function refusal(status: number): SecretFailure {
  const meaning = MEANING[status]
  const reason = meaning === undefined ? `Vault answered ${status}` : `Vault answered ${status}: ${meaning}`
  return new SecretFailure(reason, { isAbsent: status === 404 })
}
