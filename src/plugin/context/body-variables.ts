import { queryJsonPath } from '../../lib/json-path.ts'
import { parseMultipart } from '../../lib/multipart.ts'
import { type GraphqlOperation, readGraphql } from './graphql.ts'
import { formFields, queryArg } from './query.ts'

/** Longest bodies that variables are read from; fixed for the process. */
export interface BodyVariableLimits {
  /** `apisix.max_post_args_readable_size`. */
  readonly postArgBytes: number
  /** `graphql.max_size`; also of a query in the URI. */
  readonly graphqlBytes: number
}

const NAME = /\b(?:post_arg[_.]|graphql_(?:name|operation|root_fields)\b)/
const JSON_PATH = /[[*]|\.\./
const FORM = 'application/x-www-form-urlencoded'

/** Whether a text names a variable that is read from a request's body. */
export function namesBodyVariable(text: string): boolean {
  return NAME.test(text)
}

/** What variables tell of one body. Each form is parsed once, when it is first asked for; what is malformed has no value. */
export class BodyVariables {
  readonly #bytes: Buffer
  readonly #contentType: string
  readonly #limits: BodyVariableLimits
  #text: string | undefined
  #fields: unknown
  #isParsed = false
  #graphql: GraphqlOperation | undefined | false = false

  /** `bytes` must not change afterwards. */
  constructor(bytes: Buffer, contentType: string | undefined, limits: BodyVariableLimits) {
    this.#bytes = bytes
    this.#contentType = contentType ?? ''
    this.#limits = limits
  }

  /** `post_arg_<name>`: the first value of a form's field. */
  postArg(name: string): string | undefined {
    if (!this.#isReadable() || !this.#contentType.includes(FORM)) return undefined
    return queryArg(this.#asText(), name)
  }

  /** `post_arg.<path>`: names behind dots, or a JSON path, which gives a list. */
  postArgAt(path: string): unknown {
    const fields = this.#parsedFields()
    if (JSON_PATH.test(path)) {
      const found = queryJsonPath(fields, path)
      return found && found.length > 0 ? found : undefined
    }
    let value = fields
    for (const name of path.split('.')) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
      value = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
    }
    return value ?? undefined
  }

  /** The body as a query, or as JSON that holds one. */
  get graphql(): GraphqlOperation | undefined {
    if (this.#graphql === false) this.#graphql = this.#readGraphql()
    return this.#graphql
  }

  #isReadable(): boolean {
    return this.#bytes.length <= this.#limits.postArgBytes
  }

  #asText(): string {
    this.#text ??= this.#bytes.toString()
    return this.#text
  }

  #parsedFields(): unknown {
    if (!this.#isParsed) {
      this.#isParsed = true
      this.#fields = this.#isReadable() ? this.#parseFields() : undefined
    }
    return this.#fields
  }

  #parseFields(): unknown {
    if (this.#contentType.includes('application/json')) return parseJson(this.#asText())
    if (this.#contentType.includes(FORM)) return formFields(this.#asText())
    if (!this.#contentType.includes('multipart/form-data')) return undefined
    const fields: Record<string, unknown> = Object.create(null)
    // As in a form: the first of several values.
    for (const { name, value } of parseMultipart(this.#bytes, this.#contentType) ?? []) fields[name] ??= value
    return fields
  }

  #readGraphql(): GraphqlOperation | undefined {
    if (this.#bytes.length > this.#limits.graphqlBytes) return undefined
    if (this.#contentType !== 'application/json') return readGraphql(this.#asText())
    const { query } = (parseJson(this.#asText()) ?? {}) as { query?: unknown }
    return typeof query === 'string' ? readGraphql(query) : undefined
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON: the variables have no value, which is their whole failure.
    return undefined
  }
}
