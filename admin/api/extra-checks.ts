import type { Kind } from '../../src/model/kind.ts'
import { refuse } from './answer.ts'
import type { AdminDeps } from './deps.ts'
import { pluginsOf } from './duplicate-keys.ts'
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
