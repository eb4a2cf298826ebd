import type { Reply } from '../plugin/definition.ts'
import type { AuthConfig, CompiledConsumer, CompiledCredential } from './compile-consumer.ts'
import type { CompiledOwner } from './compile-kinds.ts'
import type { IndexedConsumer } from './consumers.ts'
import { mergeRoute } from './merge.ts'
import type { ConsumerEntry } from './plan.ts'

/** What consumers are put together from, as compiled so far. */
export interface ConsumerSources {
  consumer(id: string): CompiledConsumer | undefined
  group(id: string): CompiledOwner | undefined
  credential(id: string): CompiledCredential | undefined
}

/** What a round changed about the consumers that can be found. */
export interface ConsumerChanges {
  readonly removed: readonly IndexedConsumer[]
  readonly added: readonly IndexedConsumer[]
}

/** The answer to a consumer whose group is not there (contract §4.6). */
const GROUP_GONE: Reply = { status: 503 }

/** Puts consumers together with their groups and credentials; only those that a round touched are made anew. */
export class ConsumerAssembly {
  readonly #indexed = new Map<string, IndexedConsumer>()
  /** Consumer to the ids of its credentials. */
  readonly #credentials = new Map<string, Set<string>>()
  readonly #touched = new Set<string>()

  touch(consumer: string): void {
    this.#touched.add(consumer)
  }

  /** A credential came, changed or went; its id is `<consumer>/credentials/<id>`. */
  touchCredential(id: string, isThere: boolean): void {
    const consumer = consumerOf(id)
    const ids = this.#credentials.get(consumer) ?? new Set()
    if (isThere) ids.add(id)
    else ids.delete(id)
    if (ids.size === 0) this.#credentials.delete(consumer)
    else this.#credentials.set(consumer, ids)
    this.#touched.add(consumer)
  }

  finish(sources: ConsumerSources): ConsumerChanges {
    const removed: IndexedConsumer[] = []
    const added: IndexedConsumer[] = []
    for (const id of this.#touched) {
      const previous = this.#indexed.get(id)
      if (previous) removed.push(previous)
      const next = this.#index(id, sources)
      if (next) added.push(next)
      if (next) this.#indexed.set(id, next)
      else this.#indexed.delete(id)
    }
    this.#touched.clear()
    return { removed, added }
  }

  #index(id: string, sources: ConsumerSources): IndexedConsumer | undefined {
    const consumer = sources.consumer(id)
    if (!consumer) return undefined
    const { view } = consumer
    const group = view.groupId === undefined ? undefined : sources.group(view.groupId)
    const plain: ConsumerEntry = {
      view,
      config: {},
      instances: group ? mergeRoute(consumer.instances, group.instances) : consumer.instances,
      refusal: view.groupId !== undefined && !group ? GROUP_GONE : undefined,
    }
    const own = consumer.auth.map((auth) => credentialOf(plain, auth))
    const stored = [...(this.#credentials.get(id) ?? [])].flatMap((credential) =>
      (sources.credential(credential)?.auth ?? []).map((auth) =>
        credentialOf({ ...plain, view: view.withCredential(ownIdOf(credential)) }, auth),
      ),
    )
    return { name: view.name, plain, credentials: [...own, ...stored] }
  }
}

function credentialOf(entry: ConsumerEntry, { plugin, key, config }: AuthConfig) {
  return { plugin, key, entry: { ...entry, config } }
}

function consumerOf(credential: string): string {
  return credential.slice(0, credential.indexOf('/'))
}

function ownIdOf(credential: string): string {
  return credential.slice(credential.lastIndexOf('/') + 1)
}
