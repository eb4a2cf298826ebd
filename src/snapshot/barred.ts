import type { StoredItem } from '../store/config-store.ts'

/** A stored version that must not be compiled, although its checks find nothing wrong with it. */
export interface Barred {
  /** As it stands in the store. */
  readonly item: StoredItem
  /** The version before it, to serve in its place where no older one does; null when that may not serve either, absent when it is not known. */
  readonly before?: StoredItem | null
  /** For people: it is what the quarantine shows. */
  readonly reason: string
}

/** Versions that are barred, by key. Another version of the same key is free. */
export class BarredVersions {
  readonly #byKey = new Map<string, Barred>()

  set(barred: Barred): void {
    this.#byKey.set(barred.item.key, barred)
  }

  delete(key: string): boolean {
    return this.#byKey.delete(key)
  }

  /** What is said of this version. Whatever is said of another one is forgotten: the resource has changed. */
  of(key: string, item: StoredItem): Barred | undefined {
    const barred = this.#byKey.get(key)
    if (!barred || barred.item.modRevision === item.modRevision) return barred
    this.#byKey.delete(key)
    return undefined
  }
}
