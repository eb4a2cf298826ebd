import type { SecretSource } from '../secret/secret-source.ts'

/** Where secrets come from, as the publisher drives it. */
export interface SecretKeeper extends SecretSource {
  /** A `secrets` resource, id `vault/1`. What was fetched through an earlier form of it is asked for again. */
  setManager(id: string, config: Readonly<Record<string, unknown>>): void
  deleteManager(id: string): void
  /** Resolves when all are answered, at the latest after `waitMs`. */
  ask(references: Iterable<string>, waitMs: number): Promise<void>
  /** These are in use; all others are forgotten. */
  retain(references: ReadonlySet<string>): void
}

/** Which resource refers to which secrets. */
export class SecretLinks {
  readonly #byResource = new Map<string, ReadonlySet<string>>()
  #isChanged = false

  set(resource: string, references: ReadonlySet<string>): void {
    if (references.size === 0) this.delete(resource)
    else {
      this.#byResource.set(resource, references)
      this.#isChanged = true
    }
  }

  delete(resource: string): void {
    if (this.#byResource.delete(resource)) this.#isChanged = true
  }

  /** Whether the resource refers to one of these. */
  refersTo(resource: string, references: ReadonlySet<string>): boolean {
    const own = this.#byResource.get(resource)
    return own !== undefined && [...own].some((reference) => references.has(reference))
  }

  /** Everything that is referred to, when that has changed since the last call. */
  takeChanged(): ReadonlySet<string> | undefined {
    if (!this.#isChanged) return undefined
    this.#isChanged = false
    return new Set([...this.#byResource.values()].flatMap((references) => [...references]))
  }
}
