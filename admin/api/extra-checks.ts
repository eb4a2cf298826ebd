import { isUsername } from '../../src/model/id.ts'
import { refuse } from './answer.ts'
import type { AdminDeps } from './deps.ts'
import { pluginsOf, refuseDuplicateKeys } from './duplicate-keys.ts'
import { keyOf, listItems, parseStored } from './stored.ts'

/** A rule that looks at other resources; throws the 400. `id` is the document's own, as in a `Ref`. */
export type ExtraCheck = (deps: AdminDeps, document: Record<string, unknown>, id: string) => Promise<void>

/** One plugin in two global rules would run twice, or not at all (contract §0 item 14). */
export const refusePluginOfOtherRule: ExtraCheck = async ({ store, prefix }, document, id) => {
  const own = Object.keys(pluginsOf(document))
  if (own.length === 0) return
  const base = keyOf(prefix, 'global_rules', '')
  for (const item of await listItems(store, prefix, { kind: 'global_rules', id: '' })) {
    const otherId = item.key.slice(base.length)
    if (otherId === id) continue
    const others = pluginsOf(parseStored(item.value))
    const shared = own.find((name) => Object.hasOwn(others, name))
    if (shared !== undefined) {
      throw refuse(400, `plugin '${shared}' already exists in global rule with id '${otherId}'`)
    }
  }
}

/** A credential has a key of its own, and belongs to somebody. */
export const checkCredentialOwner: ExtraCheck = async (deps, document, id) => {
  await refuseDuplicateKeys(deps, document, id)
  const [consumer = ''] = id.split('/')
  const isThere =
    isUsername(consumer) && (await deps.store.get(keyOf(deps.prefix, 'consumers', consumer))) !== undefined
  if (!isThere) throw refuse(404, 'consumer not found')
}
