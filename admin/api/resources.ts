import { isId, isUsername } from '../../src/model/id.ts'
import { KIND_WORD, type Kind } from '../../src/model/kind.ts'
import { SCHEMAS } from '../../src/model/schemas/index.ts'
import { compileValidator } from '../../src/model/validator.ts'
import { refuse } from './answer.ts'
import type { Call } from './call.ts'
import type { AdminDeps } from './deps.ts'
import { refuseDuplicateKeys } from './duplicate-keys.ts'
import { checkCredentialOwner, type ExtraCheck, refusePluginOfOtherRule } from './extra-checks.ts'

type Document = Record<string, unknown>

/** The rules of one resource that are not in its schema (contract §1.2, §1.3, §1.5). */
export interface Resource {
  readonly kind: Kind
  /** The word in messages: `missing route id`. */
  readonly word: string
  readonly forbids: readonly string[]
  /** Whether `create_time` and `update_time` are kept. */
  readonly hasTimestamps: boolean
  /** Compares the ids of path and body and sets the one to store; throws the 400. */
  readonly adoptId: (document: Document, call: Call) => void
  /** The last part of the key; throws when it could not be one. */
  readonly keyId: (document: Document, call: Call) => string
  /** Before all other checks but those of ids and timestamps. */
  readonly preCheck?: (document: Document, urlId: string | undefined) => void
  /** Fields that no answer shows (decisions.md 12); `a.b` is one inside another. */
  readonly hidden?: readonly string[]
  /** After all other checks. */
  readonly extraCheck?: ExtraCheck
  /** For a resource that belongs to something: what stands between the two in its id. */
  readonly joint?: string
  /** The kind of what it belongs to, where that is a resource. */
  readonly owner?: Kind
  /** By method, instead of `missing … id`. */
  readonly missingId?: Readonly<Record<string, string>>
  /** Why nothing can be done with it here; `undefined` when it can. */
  readonly isOff?: (deps: AdminDeps) => string | undefined
}

/** The call as the resource means it: with its parent apart where the resource has one. */
export function withParent({ joint }: Resource, call: Call): Call {
  if (joint === undefined || call.id === undefined) return call
  // `/credentials/` is one segment of the path, which says nothing more; `/` is none.
  const [id, ...subPath] = call.subPath.slice(joint.split('/').length - 2)
  return { ...call, parent: call.id, id, subPath }
}

/** The id as in a `Ref`, from its last part: `jack/credentials/c1`, `vault/1`. With an empty one, how the ids beside it begin. */
export function wholeId({ joint }: Resource, { parent }: Call, last: string): string {
  return joint === undefined || parent === undefined ? last : `${parent}${joint}${last}`
}

function adoptGenericId(word: string): Resource['adoptId'] {
  return (document, { id: urlId, method }) => {
    const bodyId = givenId(document)
    if (method === 'POST') {
      if (urlId !== undefined || bodyId !== undefined) throw refuse(400, `wrong ${word} id, do not need it`)
      return
    }
    if (urlId === undefined && bodyId === undefined) throw refuse(400, `missing ${word} id`)
    if (urlId !== undefined && bodyId !== undefined && idText(bodyId) !== urlId) {
      throw refuse(400, `wrong ${word} id`)
    }
    document['id'] = urlId ?? bodyId
  }
}

function givenId(document: Document): unknown {
  return Object.hasOwn(document, 'id') && document['id'] !== false ? document['id'] : undefined
}

/** The text to compare with an id of the path; what is neither text nor number equals none. */
function idText(id: unknown): string | undefined {
  return typeof id === 'string' || typeof id === 'number' ? String(id) : undefined
}

/** The schema lets a secret reference stand for any text; a key has to be an id. */
function asKey(id: unknown): string {
  if (isId(id)) return String(id)
  throw refuse(
    400,
    'invalid configuration: property "id" validation failed: object matches none of the required',
  )
}

const validateConsumer = compileValidator(SCHEMAS.consumers)

function compareUsername(document: Document, urlId: string | undefined): void {
  const problem = validateConsumer(structuredClone(document))
  if (problem !== undefined) throw refuse(400, `invalid configuration: ${problem}`)
  if (urlId !== undefined && document['username'] !== urlId) throw refuse(400, 'wrong username')
}

function keyByUsername({ username }: Document): string {
  if (isUsername(username)) return username
  throw refuse(400, `invalid configuration: property "username" validation failed: "${username}" is no name`)
}

function adoptPluginName(document: Document, { id }: Call): void {
  if (id === undefined) throw refuse(400, 'missing plugin name')
  document['id'] = id
}

/** A secret's document carries its manager too (contract §1.3). A client may send that id back, or the last part alone. */
function adoptSecretId(document: Document, { parent, id }: Call): void {
  if (parent === undefined || id === undefined) {
    throw refuse(400, 'missing secret id: use the path /apisix/admin/secrets/<manager>/<id>')
  }
  const bodyId = givenId(document)
  const whole = `${parent}/${id}`
  if (bodyId !== undefined && idText(bodyId) !== id && bodyId !== whole) throw refuse(400, 'wrong secret id')
  document['id'] = whole
}

function generic(kind: Kind, rules: Partial<Resource> = {}): Resource {
  const word = KIND_WORD[kind]
  return {
    kind,
    word,
    forbids: [],
    hasTimestamps: true,
    adoptId: adoptGenericId(word),
    keyId: ({ id }) => asKey(id),
    ...rules,
  }
}

const ALL: readonly Resource[] = [
  generic('routes'),
  generic('services'),
  generic('upstreams'),
  generic('ssls', { hidden: ['key', 'keys'] }),
  generic('consumers', {
    forbids: ['POST', 'PATCH'],
    adoptId: () => {},
    preCheck: compareUsername,
    keyId: keyByUsername,
    extraCheck: refuseDuplicateKeys,
  }),
  generic('credentials', {
    forbids: ['POST', 'PATCH'],
    joint: '/credentials/',
    owner: 'consumers',
    extraCheck: checkCredentialOwner,
  }),
  generic('consumer_groups', { forbids: ['POST'] }),
  generic('plugin_configs', { forbids: ['POST'] }),
  generic('global_rules', { forbids: ['POST'], extraCheck: refusePluginOfOtherRule }),
  generic('plugin_metadata', { forbids: ['POST', 'PATCH'], hasTimestamps: false, adoptId: adoptPluginName }),
  generic('protos', { forbids: ['PATCH'] }),
  generic('stream_routes', {
    forbids: ['PATCH'],
    isOff: ({ hasStreams }) =>
      hasStreams ? undefined : 'stream mode is disabled, can not add stream routes',
  }),
  generic('secrets', {
    forbids: ['POST'],
    joint: '/',
    adoptId: adoptSecretId,
    keyId: (_document, { id }) => asKey(id),
    missingId: { PATCH: 'no secret id' },
    hidden: ['token', 'secret_access_key', 'session_token', 'auth_config.private_key'],
  }),
]

/** By their name in the path; that of credentials stands below a consumer's. */
export const RESOURCES: ReadonlyMap<string, Resource> = new Map(ALL.map((one) => [one.kind, one]))
