import type { RequestContext } from '../../src/plugin/api.ts'
import { namedValues } from '../_shared/uri/named-values.ts'

/** Messages within each other that a name may reach into; more than any proto has. */
const MAX_DEPTH = 100

type Fields = Record<string, unknown>

const JSON_TYPE = /^application\/json(?:$|[; ])/i
const FORM_TYPE = /^application\/x-www-form-urlencoded(?:$|[; ])/i

/** The request cannot be read; the client is told so with 400. */
export class BadRequestError extends Error {}

/**
 * The fields of a message from a request: its JSON body or its form, and what of neither is there from the query. Dotted names reach
 * into messages. Throws {@link BadRequestError}.
 */
export async function fieldsOf(context: RequestContext, maxBytes: number): Promise<Fields> {
  const fields: Fields = Object.create(null)
  addParams(fields, context.queryString)
  if (!context.hasBody) return fields
  const type = context.headers.get('content-type') ?? ''
  if (FORM_TYPE.test(type)) {
    addParams(fields, (await context.readBody(maxBytes)).toString())
    return fields
  }
  if (!JSON_TYPE.test(type)) return fields
  return { ...fields, ...readJson((await context.readBody(maxBytes)).toString()) }
}

function readJson(text: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new BadRequestError('the body is no JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadRequestError('the body is no JSON object')
  }
  return value as Fields
}

/** A name that comes more than once makes a list. */
function addParams(fields: Fields, text: string): void {
  for (const [name, value] of namedValues(text)) {
    const way = name.split('.')
    if (way.length > MAX_DEPTH) throw new BadRequestError('a name reaches too deep')
    place(fields, way, value)
  }
}

function place(fields: Fields, [name, ...inner]: string[], value: unknown): void {
  if (name === undefined || name === '__proto__') return
  if (inner.length === 0) {
    fields[name] = value
    return
  }
  const known = fields[name]
  const held: Fields = typeof known === 'object' && known !== null ? (known as Fields) : Object.create(null)
  fields[name] = held
  place(held, inner, value)
}
