import type { SecretSource } from '../secret/secret-source.ts'

/** Where secrets come from, as the publisher drives it. */
export interface SecretKeeper extends SecretSource {
  /** A `secrets` resource, id `vault/1`. What was fetched through an earlier form of it is asked for again. */
  setManager(id: string, config: Readonly<Record<string, unknown>>): void
  deleteManager(id: string): void
  /** Resolves when all are answered, at the latest after `waitMs`. */
  ask(references: Iterable<string>, waitMs: number): Promise<void>
  /** Somebody uses these until {@link release} was called as often; what nobody uses is forgotten. */
  retain(references: Iterable<string>): void
  release(references: Iterable<string>): void
}

const NOTHING: ReadonlySet<string> = new Set()

/** Which resource refers to which secrets. */
export class SecretLinks {
  readonly #keeper: SecretKeeper | undefined
  readonly #byResource = new Map<string, ReadonlySet<string>>()

  constructor(keeper: SecretKeeper | undefined) {
    this.#keeper = keeper
  }

  set(resource: string, references: ReadonlySet<string>): void {
    const before = this.#byResource.get(resource) ?? NOTHING
    if (before.size + references.size === 0) return
    this.#keeper?.retain(references)
    this.#keeper?.release(before)
    if (references.size > 0) this.#byResource.set(resource, references)
    else this.#byResource.delete(resource)
  }

  delete(resource: string): void {
    this.set(resource, NOTHING)
  }

  /** Whether the resource refers to one of these. */
  refersTo(resource: string, references: ReadonlySet<string>): boolean {
    const own = this.#byResource.get(resource)
    return own !== undefined && [...own].some((reference) => references.has(reference))
  }

  /** The text without the secrets that the resource refers to: what complains of a configuration may quote it. */
  hide(resource: string, text: string): string {
    let hidden = text
    for (const reference of this.#byResource.get(resource) ?? NOTHING) {
      const answer = this.#keeper?.read(reference)
      if (answer?.ok && answer.value !== '') hidden = hidden.replaceAll(answer.value, reference)
    }
    return hidden
  }
}
