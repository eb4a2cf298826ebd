import { isSecretReference } from '../model/reference.ts'

/** `$env://NAME` or `$env://NAME/key`. */
export interface EnvReference {
  readonly kind: 'env'
  readonly name: string
  /** Key of the JSON object that the variable holds. */
  readonly field: string | undefined
}

/** `$secret://{manager}/{id}/{path…}/{field}`. */
export interface StoredReference {
  readonly kind: 'secret'
  /** Id of the secrets resource: `vault/1`. */
  readonly manager: string
  /** Segments joined by slashes; none is empty, `.` or `..`. */
  readonly path: string
  /** Absent when only one segment stands behind the id: then the whole secret is meant. */
  readonly field: string | undefined
}

export type SecretReference = EnvReference | StoredReference

export type ParsedReference =
  | { readonly ok: true; readonly reference: SecretReference }
  | { readonly ok: false; readonly reason: string }

const ENV_SCHEME = /^\$env:\/\//i

/** Reads a reference (contract §1.11); undefined when `text` is none, a reason for people when it is one that means nothing. */
export function parseReference(text: string): ParsedReference | undefined {
  if (!isSecretReference(text)) return undefined
  const rest = text.slice(text.indexOf('://') + 3)
  return ENV_SCHEME.test(text) ? parseEnv(rest) : parseStored(rest)
}

function parseEnv(rest: string): ParsedReference {
  const slash = rest.indexOf('/')
  const name = slash === -1 ? rest : rest.slice(0, slash)
  if (name === '') return refuse('names no variable; write $env://NAME or $env://NAME/key')
  const field = slash === -1 ? undefined : rest.slice(slash + 1)
  if (field === '') return refuse('names no key behind the slash; write $env://NAME or $env://NAME/key')
  return { ok: true, reference: { kind: 'env', name, field } }
}

function parseStored(rest: string): ParsedReference {
  const [manager = '', id = '', ...segments] = rest.split('/')
  if (manager === '') return refuse(`names no secret manager; ${FORM}`)
  if (id === '') return refuse(`names no secrets resource of ${manager}; ${FORM}`)
  if (segments.length === 0) return refuse(`names no secret in ${manager}/${id}; ${FORM}`)
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    return refuse(`has an empty or dotted part in its path; ${FORM}`)
  }
  const field = segments.length > 1 ? segments.pop() : undefined
  return {
    ok: true,
    reference: { kind: 'secret', manager: `${manager}/${id}`, path: segments.join('/'), field },
  }
}

const FORM = 'write $secret://{manager}/{id}/{path}/{field}'

function refuse(reason: string): ParsedReference {
  return { ok: false, reason: `the reference ${reason}` }
}

/** Every reference in the values of a document, each once, in no order. Keys are not looked into. */
export function findReferences(document: unknown): ReadonlySet<string> {
  const found = new Set<string>()
  const seen = new Set<object>()
  const open: unknown[] = [document]
  while (open.length > 0) {
    const value = open.pop()
    if (isSecretReference(value)) found.add(value)
    else if (typeof value === 'object' && value !== null && !seen.has(value)) {
      seen.add(value)
      for (const inner of Array.isArray(value) ? value : Object.values(value)) {
        if (typeof inner === 'string' || typeof inner === 'object') open.push(inner)
      }
    }
  }
  return found
}
