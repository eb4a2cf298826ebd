import { ShardMap } from '../lib/shard-map.ts'
import type { ServerCertificate } from './server-certificate.ts'

/** The certificates of one snapshot by server name; immutable, a changed copy costs what changed. */
export class CertificateIndex {
  static readonly EMPTY = new CertificateIndex(ShardMap.empty())

  readonly #byName: ShardMap<readonly ServerCertificate[]>

  private constructor(byName: ShardMap<readonly ServerCertificate[]>) {
    this.#byName = byName
  }

  /**
   * The certificate for a canonical name: its own, else that of `*.` and what follows its first label, else that of `*` (contract
   * §5.8). Where several ssls have one name, the one whose id comes first.
   */
  find(name: string): ServerCertificate | undefined {
    const own = this.#byName.get(name)?.[0]
    if (own) return own
    const dot = name.indexOf('.')
    const wildcard = dot === -1 ? undefined : this.#byName.get(`*${name.slice(dot)}`)?.[0]
    return wildcard ?? this.#byName.get('*')?.[0]
  }

  /** A copy without `removed` and with `added`. */
  with(removed: readonly ServerCertificate[], added: readonly ServerCertificate[]): CertificateIndex {
    const changed = new Map<string, readonly ServerCertificate[]>()
    const at = (name: string) => changed.get(name) ?? this.#byName.get(name) ?? []
    for (const certificate of removed) {
      for (const name of certificate.names) {
        const others = at(name).filter((one) => one !== certificate)
        changed.set(name, others)
      }
    }
    for (const certificate of added) {
      for (const name of certificate.names) changed.set(name, [...at(name), certificate].sort(byId))
    }
    return new CertificateIndex(
      this.#byName.with([...changed].map(([name, list]) => [name, list.length > 0 ? list : undefined])),
    )
  }
}

function byId(one: ServerCertificate, other: ServerCertificate): number {
  return one.id < other.id ? -1 : 1
}
