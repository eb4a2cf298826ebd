import type { Kind } from '../../src/model/kind.ts'
import { isObject } from '../../src/model/schema-value.ts'
import type { StoredItem } from '../../src/store/config-store.ts'
import { refuse } from './answer.ts'
import type { AdminDeps } from './deps.ts'
import { keyOf, listDirectory, parseStored } from './stored.ts'

/** A rule that looks at other resources; throws the 400. `id` is the last part of the document's own key. */
export type ExtraCheck = (deps: AdminDeps, document: Record<string, unknown>, id: string) => Promise<void>

/** One plugin in two global rules would run twice, or not at all (contract §0 item 14). */
export const refusePluginOfOtherRule: ExtraCheck = async ({ store, prefix }, document, id) => {
  const own = Object.keys(pluginsOf(document))
  if (own.length === 0) return
  const base = keyOf(prefix, 'global_rules' satisfies Kind, '')
  for (const item of await listDirectory(store, prefix, 'global_rules')) {
    const otherId = item.key.slice(base.length)
    if (otherId === id) continue
    const others = pluginsOf(parseStored(item.value))
    const shared = own.find((name) => Object.hasOwn(others, name))
    if (shared !== undefined) {
      throw refuse(400, `plugin '${shared}' already exists in global rule with id '${otherId}'`)
    }
  }
}

/** Two consumers with the same key could not be told apart (contract §1.6). Secret references are not looked into. */
export const refuseDuplicateKeys: ExtraCheck = async ({ store, prefix, plugins }, document, id) => {
  const claims = Object.entries(pluginsOf(document)).flatMap(([plugin, config]) => {
    const field = plugins.get(plugin)?.consumerKey
    const value = field !== undefined && isObject(config) ? config[field] : undefined
    return field !== undefined && typeof value === 'string' && !value.startsWith('$')
      ? [{ plugin, field, value, quoted: JSON.stringify(value) }]
      : []
  })
  if (claims.length === 0) return
  const base = keyOf(prefix, 'consumers', '')
  const { items } = await store.list(base)
  for (const item of items) {
    const [owner, , credential] = item.key.slice(base.length).split('/')
    if (owner === id || owner === undefined) continue
    const taken = claims.find((claim) => holds(item, claim))
    if (taken === undefined) continue
    const who =
      credential === undefined ? `consumer: ${owner}` : `credential: ${credential} of consumer: ${owner}`
    throw refuse(400, `duplicate ${taken.field} of plugin ${taken.plugin} found with ${who}`)
  }
}

interface Claim {
  readonly plugin: string
  readonly field: string
  readonly value: string
  readonly quoted: string
}

function holds({ value }: StoredItem, claim: Claim): boolean {
  // Parsing every consumer for each write would cost a hundred times as much; other spellings of a text in JSON are rare.
  if (!value.includes(claim.quoted)) return false
  const config = pluginsOf(parseStored(value))[claim.plugin]
  return isObject(config) && config[claim.field] === claim.value
}

function pluginsOf(document: unknown): Record<string, unknown> {
  const plugins = isObject(document) ? document['plugins'] : undefined
  return isObject(plugins) ? plugins : {}
}
