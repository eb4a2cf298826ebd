import { ShardMap } from '../lib/shard-map.ts'
import type { ConsumerLookup } from '../plugin/context/context.ts'
import type { FoundConsumer } from '../plugin/context/request-context.ts'
import type { ConsumerEntry } from './plan.ts'

/** One way to find a consumer: the plugin that identifies it and the value it shows. */
export interface Credential {
  readonly plugin: string
  readonly key: string
  readonly entry: ConsumerEntry
}

/** Consumers of one snapshot by name and by credential; immutable, a changed copy costs what changed. */
export class ConsumerIndex implements ConsumerLookup {
  static readonly EMPTY = new ConsumerIndex(ShardMap.empty(), ShardMap.empty())

  readonly #byCredential: ShardMap<readonly ConsumerEntry[]>
  readonly #byName: ShardMap<ConsumerEntry>

  private constructor(byCredential: ShardMap<readonly ConsumerEntry[]>, byName: ShardMap<ConsumerEntry>) {
    this.#byCredential = byCredential
    this.#byName = byName
  }

  /** With equal credentials the consumer that came first is found; the admin API refuses a second one. */
  findConsumer(plugin: string, key: string): FoundConsumer | undefined {
    return this.#byCredential.get(`${plugin}\n${key}`)?.[0]
  }

  /** Everyone who shows this credential, the one that is found first. */
  owners(plugin: string, key: string): readonly ConsumerEntry[] {
    return this.#byCredential.get(`${plugin}\n${key}`) ?? []
  }

  findConsumerByName(name: string): FoundConsumer | undefined {
    return this.#byName.get(name)
  }

  /** A copy without `removed` and with `added`. */
  with(removed: readonly IndexedConsumer[], added: readonly IndexedConsumer[]): ConsumerIndex {
    const credentials = new Map<string, readonly ConsumerEntry[]>()
    const at = (name: string) => credentials.get(name) ?? this.#byCredential.get(name) ?? []
    for (const { plugin, key, entry } of removed.flatMap((consumer) => consumer.credentials)) {
      const name = `${plugin}\n${key}`
      credentials.set(
        name,
        at(name).filter((one) => one !== entry),
      )
    }
    for (const { plugin, key, entry } of added.flatMap((consumer) => consumer.credentials)) {
      const name = `${plugin}\n${key}`
      credentials.set(name, [...at(name), entry])
    }
    const names = new Map<string, ConsumerEntry | undefined>()
    for (const consumer of removed) names.set(consumer.name, undefined)
    for (const consumer of added) names.set(consumer.name, consumer.plain)
    return new ConsumerIndex(
      this.#byCredential.with(
        [...credentials].map(([name, list]) => [name, list.length > 0 ? list : undefined]),
      ),
      this.#byName.with(names),
    )
  }
}

export interface IndexedConsumer {
  readonly name: string
  /** Found by name, with no credential: what `anonymous_consumer` gets. */
  readonly plain: ConsumerEntry
  readonly credentials: readonly Credential[]
}
