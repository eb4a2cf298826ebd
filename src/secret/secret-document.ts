import type { SecretAnswer } from './secret-source.ts'

/** What stands under one path of a manager: named fields, or one text that may be a JSON object. */
export type SecretDocument =
  | { readonly fields: Readonly<Record<string, unknown>> }
  | { readonly text: string }

/** The value of a field; without `field` the whole text. */
export function fieldOf(document: SecretDocument, field: string | undefined): SecretAnswer {
  if (field === undefined) {
    if ('text' in document) return { ok: true, value: document.text }
    return refuse('the reference names no field of the secret')
  }
  const fields = 'fields' in document ? document.fields : parseFields(document.text)
  if (fields === undefined) return refuse(`the secret is no JSON object, so it has no field "${field}"`)
  if (!Object.hasOwn(fields, field)) return refuse(`the secret has no field "${field}"`)
  const value = fields[field]
  if (typeof value === 'string') return { ok: true, value }
  if (typeof value === 'number' || typeof value === 'boolean') return { ok: true, value: String(value) }
  return refuse(`the field "${field}" of the secret is no text`)
}

/** The object that a JSON text stands for; undefined when it stands for anything else. */
export function parseFields(text: string): Readonly<Record<string, unknown>> | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The engine's message quotes the text, which is a secret.
    return undefined
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined
}

function refuse(reason: string): SecretAnswer {
  return { ok: false, reason }
}
