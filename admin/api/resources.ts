import { isId, isUsername } from '../../src/model/id.ts'
import { KIND_WORD, type Kind } from '../../src/model/kind.ts'
import { SCHEMAS } from '../../src/model/schemas/index.ts'
import { compileValidator } from '../../src/model/validator.ts'
import { refuse } from './answer.ts'
import { refuseDuplicateKeys } from './duplicate-keys.ts'
import { type ExtraCheck, refusePluginOfOtherRule } from './extra-checks.ts'

type Document = Record<string, unknown>
export type WriteMethod = 'PUT' | 'POST' | 'PATCH'

/** The rules of one resource that are not in its schema (contract §1.2, §1.3, §1.5). */
export interface Resource {
  readonly kind: Kind
  /** The word in messages: `missing route id`. */
  readonly word: string
  readonly forbids: readonly string[]
  /** Whether `create_time` and `update_time` are kept. */
  readonly hasTimestamps: boolean
  /** Compares the ids of path and body and sets the one to store; throws the 400. */
  readonly adoptId: (document: Document, urlId: string | undefined, method: WriteMethod) => void
  /** The last part of the key; throws when it could not be one. */
  readonly keyId: (document: Document) => string
  /** Before all other checks but those of ids and timestamps. */
  readonly preCheck?: (document: Document, urlId: string | undefined) => void
  /** Fields that no answer shows (decisions.md 12). */
  readonly hidden?: readonly string[]
  /** After all other checks. */
  readonly extraCheck?: ExtraCheck
}

function adoptGenericId(word: string): Resource['adoptId'] {
  return (document, urlId, method) => {
    const bodyId = Object.hasOwn(document, 'id') && document['id'] !== false ? document['id'] : undefined
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

/** The text to compare with an id of the path; what is neither text nor number equals none. */
function idText(id: unknown): string | undefined {
  return typeof id === 'string' || typeof id === 'number' ? String(id) : undefined
}

/** The schema lets a secret reference stand for any text; a key has to be an id. */
function keyById({ id }: Document): string {
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

function adoptPluginName(document: Document, urlId: string | undefined): void {
  if (urlId === undefined) throw refuse(400, 'missing plugin name')
  document['id'] = urlId
}

function generic(kind: Kind, rules: Partial<Resource> = {}): Resource {
  const word = KIND_WORD[kind]
  return {
    kind,
    word,
    forbids: [],
    hasTimestamps: true,
    adoptId: adoptGenericId(word),
    keyId: keyById,
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
  generic('plugin_configs', { forbids: ['POST'] }),
  generic('global_rules', { forbids: ['POST'], extraCheck: refusePluginOfOtherRule }),
  generic('plugin_metadata', { forbids: ['POST', 'PATCH'], hasTimestamps: false, adoptId: adoptPluginName }),
]

/** By their name in the path. */
export const RESOURCES: ReadonlyMap<string, Resource> = new Map(ALL.map((one) => [one.kind, one]))
