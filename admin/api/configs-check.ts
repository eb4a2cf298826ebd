import type { TimeSlices } from '../../src/lib/time-slices.ts'
import { KINDS, type Kind } from '../../src/model/kind.ts'
import { luaTypeName } from '../../src/model/lua-text.ts'
import { isObject } from '../../src/model/schema-value.ts'
import { checkResource } from '../../src/snapshot/validate.ts'
import { itemId } from '../../src/store/file-format.ts'
import { checkKey } from '../../src/store/keys.ts'
import type { ConfigsDocument } from './configs-body.ts'
import type { AdminDeps } from './deps.ts'

/** What a whole configuration consists of, named as directories (contract §2.1): credentials stand among the consumers. */
export const CONFIGS_LISTS: readonly string[] = [...KINDS.filter((kind) => kind !== 'credentials'), 'plugins']

/** One resource that can be used, or the list of plugins as a whole. */
export interface CheckedItem {
  readonly key: string
  /** JSON text as it came, without `modifiedIndex` and without the schema's defaults. */
  readonly value: string
  readonly modifiedIndex?: number
}

/** One thing that is wrong, in the shape of contract §1.10. */
export interface ConfigsProblem {
  readonly resource_type: string
  readonly resource_id?: unknown
  /** From 0; absent when the list's version is wrong. */
  readonly index?: number
  readonly error: string
}

export interface CheckedConfigs {
  readonly items: ReadonlyMap<string, readonly CheckedItem[]>
  readonly problems: readonly ConfigsProblem[]
}

export interface CheckRules {
  readonly plugins: AdminDeps['plugins']
  readonly prefix: string
  /** Whether to go on after the first problem. */
  readonly findsAll: boolean
  /** Whether items may carry `modifiedIndex`: where whole configurations are kept. */
  readonly takesModifiedIndex: boolean
}

const SECRET_ID = /^[^/]+\/[^/]+$/

/** The member beside a list that numbers its versions. */
export function versionKey(list: string): string {
  return `${list}_conf_version`
}

/**
 * Checks every list of a configuration as if what it refers to were there (contract §1.10). It fills defaults into the document's
 * items. Unknown lists, and what is no list, are passed over.
 */
export async function checkConfigs(
  document: ConfigsDocument,
  rules: CheckRules,
  slices: TimeSlices,
): Promise<CheckedConfigs> {
  const items = new Map<string, readonly CheckedItem[]>()
  const problems: ConfigsProblem[] = []
  for (const list of CONFIGS_LISTS) {
    const problem = versionProblem(list, document.get(versionKey(list)), rules)
    if (problem !== undefined) problems.push({ resource_type: list, error: problem })
    const value = document.get(list)
    const check = new ListCheck(list, rules)
    for (const [index, item] of Array.isArray(value) ? value.entries() : []) {
      if (problems.length > 0 && !rules.findsAll) break
      const error = check.add(item, index)
      if (error !== undefined) problems.push({ resource_type: list, ...shownId(item), index, error })
      const pause = slices.pause()
      if (pause) await pause
    }
    items.set(list, check.items)
  }
  return { items, problems }
}

/** The text of the version's problem says more where all problems are listed: so does APISIX. */
function versionProblem(list: string, version: unknown, { findsAll }: CheckRules): string | undefined {
  if (version === undefined || version === null || version === false) return undefined
  if (typeof version === 'number') return undefined
  return `${versionKey(list)} must be a number${findsAll ? `, got ${luaTypeName(version)}` : ''}`
}

function shownId(item: unknown): { resource_id?: unknown } {
  const { id, username } = (item ?? {}) as { id?: unknown; username?: unknown }
  const shown = id ?? username
  return shown === undefined ? {} : { resource_id: shown }
}

/** The items of one list, with the ids that were met. */
class ListCheck {
  readonly #list: string
  readonly #rules: CheckRules
  readonly #ids = new Set<string>()
  readonly #items: CheckedItem[] = []

  constructor(list: string, rules: CheckRules) {
    this.#list = list
    this.#rules = rules
  }

  get items(): readonly CheckedItem[] {
    return this.#items
  }

  /** Takes the item, or says why it cannot be used. */
  add(item: unknown, index: number): string | undefined {
    const problem = this.#read(item, index)
    if (problem !== undefined) return `invalid ${this.#list} at index ${index}, err: ${problem}`
    const { id, username } = item as { id?: unknown; username?: unknown }
    const named = id ?? (this.#list === 'consumers' ? username : undefined)
    if (named === undefined) return undefined
    if (this.#ids.has(String(named))) {
      return `found duplicate ${this.#wordFor(id)} ${named} in ${this.#list}`
    }
    this.#ids.add(String(named))
    return undefined
  }

  #wordFor(id: unknown): string {
    if (this.#list !== 'consumers') return 'id'
    return id === undefined ? 'username' : 'credential id'
  }

  #read(item: unknown, index: number): string | undefined {
    if (!isObject(item)) return `invalid configuration: wrong type: expected object, got ${luaTypeName(item)}`
    const modifiedIndex = this.#takeIndex(item)
    if (typeof modifiedIndex === 'string') return modifiedIndex
    const id = itemId(item, index + 1)
    const key = `${this.#rules.prefix}/${this.#list}/${id}`
    // Written before the check, which fills in defaults.
    const value = JSON.stringify(item)
    const problem = this.#check(item, id) ?? keyProblem(key)
    if (problem !== undefined) return problem
    this.#items.push({ key, value, ...(modifiedIndex !== undefined && { modifiedIndex }) })
    return undefined
  }

  /** Takes `modifiedIndex` off the item; a text says what is wrong with it. */
  #takeIndex(item: Record<string, unknown>): number | undefined | string {
    if (!this.#rules.takesModifiedIndex || !Object.hasOwn(item, 'modifiedIndex')) return undefined
    const { modifiedIndex } = item
    if (!Number.isSafeInteger(modifiedIndex)) {
      return `invalid configuration: property "modifiedIndex" validation failed: wrong type: expected integer, got ${luaTypeName(modifiedIndex)}`
    }
    delete item['modifiedIndex']
    return modifiedIndex as number
  }

  #check(item: Record<string, unknown>, id: string): string | undefined {
    const { plugins } = this.#rules
    if (this.#list === 'plugins') return undefined
    if (this.#list === 'secrets' && !SECRET_ID.test(id)) return `invalid secret id: ${item['id'] ?? 'nil'}`
    const isCredential = this.#list === 'consumers' && id.includes('/credentials/')
    const kind: Kind = isCredential ? 'credentials' : (this.#list as Kind)
    return checkResource(kind, item, { plugins, ...(item['id'] !== undefined && { id }) })
  }
}

function keyProblem(key: string): string | undefined {
  try {
    checkKey(key)
    return undefined
  } catch (error) {
    return `invalid configuration: ${(error as Error).message}`
  }
}
