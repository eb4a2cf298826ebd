import { isObject } from '../../src/model/schema-value.ts'
import type { StoredItem } from '../../src/store/config-store.ts'
import { refuse } from './answer.ts'
import type { AdminDeps } from './deps.ts'
import type { ExtraCheck } from './extra-checks.ts'
import { keyOf, parseStored } from './stored.ts'

/** Who holds a key of a plugin: a consumer, or one of its credentials. */
export interface KeyOwner {
  readonly consumer: string
  readonly credential: string | undefined
}

/** A key that a document wants to be recognised by. */
interface Claim {
  readonly plugin: string
  readonly field: string
  readonly value: string
}

/** Claims of recent writes that are remembered; the oldest is forgotten first. */
const MAX_RECENT = 50_000

/** What was claimed here a moment ago, which the data plane may not serve yet. A claim that came to nothing does no harm. */
export class RecentClaims {
  readonly #owners = new Map<string, string>()

  /** The parts of the key below `consumers` that claimed it last. */
  ownerOf(claim: Claim): string | undefined {
    return this.#owners.get(nameOf(claim))
  }

  add(claim: Claim, path: string): void {
    const name = nameOf(claim)
    this.#owners.delete(name)
    if (this.#owners.size >= MAX_RECENT) this.#owners.delete(this.#owners.keys().next().value!)
    this.#owners.set(name, path)
  }
}

/**
 * Two consumers with the same key could not be told apart (contract §1.6). Secret references are not looked into. Those that could
 * hold the key are known from what is served and from recent writes, and then read from the store: exact for writes that come one
 * after the other to one gateway, best effort for those of the same moment or of other gateways, as in APISIX.
 */
export const refuseDuplicateKeys: ExtraCheck = async (deps, document, id) => {
  for (const claim of claimsOf(deps, document)) {
    for (const item of await suspects(deps, claim)) {
      const path = item.key.slice(keyOf(deps.prefix, 'consumers', '').length)
      const [owner = '', , credential] = path.split('/')
      // A consumer may share a key with its own credentials; a credential with nothing but itself.
      if (path === id || owner === id || !holds(item, claim)) continue
      const who =
        credential === undefined ? `consumer: ${owner}` : `credential: ${credential} of consumer: ${owner}`
      throw refuse(400, `duplicate ${claim.field} of plugin ${claim.plugin} found with ${who}`)
    }
    deps.recentClaims?.add(claim, id)
  }
}

function claimsOf({ plugins }: AdminDeps, document: unknown): Claim[] {
  return Object.entries(pluginsOf(document)).flatMap(([plugin, config]) => {
    const field = plugins.get(plugin)?.consumerKey
    const value = field !== undefined && isObject(config) ? config[field] : undefined
    return field !== undefined && typeof value === 'string' && !value.startsWith('$')
      ? [{ plugin, field, value }]
      : []
  })
}

/** What stands in the store of those that may hold the key; everything where nobody knows who serves. */
async function suspects(
  { store, prefix, consumers, recentClaims }: AdminDeps,
  claim: Claim,
): Promise<readonly StoredItem[]> {
  if (consumers === undefined) {
    const { items } = await store.list(keyOf(prefix, 'consumers', ''))
    // Parsing every consumer would cost a hundred times as much; other spellings of a text in JSON are rare.
    return items.filter(({ value }) => value.includes(JSON.stringify(claim.value)))
  }
  const paths = new Set(consumers.owners(claim.plugin, claim.value).map(pathOf))
  const recent = recentClaims?.ownerOf(claim)
  if (recent !== undefined) paths.add(recent)
  const items = await Promise.all([...paths].map((path) => store.get(keyOf(prefix, 'consumers', path))))
  return items.filter((item) => item !== undefined)
}

function pathOf({ consumer, credential }: KeyOwner): string {
  return credential === undefined ? consumer : `${consumer}/credentials/${credential}`
}

function nameOf({ plugin, value }: Claim): string {
  return `${plugin}\n${value}`
}

function holds({ value }: StoredItem, claim: Claim): boolean {
  const config = pluginsOf(parseStored(value))[claim.plugin]
  return isObject(config) && config[claim.field] === claim.value
}

/** The plugins of a document, none when it has no such thing. */
export function pluginsOf(document: unknown): Record<string, unknown> {
  const plugins = isObject(document) ? document['plugins'] : undefined
  return isObject(plugins) ? plugins : {}
}
