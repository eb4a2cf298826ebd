import { createRequire } from 'node:module'
import type { XMLParser } from 'fast-xml-parser'
import { parseMultipart } from '../../src/lib/multipart.ts'
import { namedValues } from '../_shared/uri/named-values.ts'

export type Format = 'xml' | 'json' | 'encoded' | 'args' | 'plain' | 'multipart'

type Fields = Readonly<Record<string, unknown>>

/** A body is not what its format says. The text ends the message that the client gets. */
export class DecodeError extends Error {}

const BY_CONTENT_TYPE: readonly (readonly [start: string, format: Format])[] = [
  ['text/xml', 'xml'],
  ['application/json', 'json'],
  ['application/x-www-form-urlencoded', 'encoded'],
  ['multipart/', 'multipart'],
]

/** The format that a content type tells; `undefined` when it tells none of them. */
export function formatOf(contentType: string | undefined): Format | undefined {
  const type = contentType?.toLowerCase()
  return type === undefined ? undefined : BY_CONTENT_TYPE.find(([start]) => type.startsWith(start))?.[1]
}

export interface Encoded {
  readonly body: Buffer
  readonly contentType: string | undefined
  /** The query of the request. */
  readonly query: string
}

/** The fields of a body, for the template's names. Throws {@link DecodeError}. */
export function decodeBody(format: Format, encoded: Encoded): Fields {
  return DECODERS[format](encoded)
}

const DECODERS: Readonly<Record<Format, (encoded: Encoded) => Fields>> = {
  json: ({ body }) => {
    try {
      return toFields(JSON.parse(body.toString()))
    } catch (error) {
      throw new DecodeError((error as Error).message)
    }
  },
  xml: ({ body }) => {
    try {
      return toFields(xmlParser().parse(body.toString(), true))
    } catch (error) {
      throw new DecodeError((error as Error).message)
    }
  },
  encoded: ({ body }) => params(body.toString()),
  args: ({ query }) => params(query),
  plain: () => ({}),
  multipart: ({ body, contentType }) => {
    const parts = parseMultipart(body, contentType)
    if (!parts) throw new DecodeError('the multipart body has no boundary, or not that one')
    return Object.fromEntries(parts.map(({ name, value }) => [name, value]))
  },
}

function toFields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

/** A name that comes more than once makes a list. */
const params = (text: string): Fields => Object.fromEntries(namedValues(text))

const require = createRequire(import.meta.url)

// Loaded by the first XML: few bodies are.
function xmlParser(): XMLParser {
  const library = require('fast-xml-parser') as typeof import('fast-xml-parser')
  // Texts stay texts, and a document cannot bring entities of its own.
  return new library.XMLParser({
    ignoreAttributes: false,
    attributesGroupName: '_attr',
    attributeNamePrefix: '',
    parseTagValue: false,
    ignoreDeclaration: true,
    processEntities: true,
    htmlEntities: false,
  })
}
