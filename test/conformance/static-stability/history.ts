/** What a route said: its version, or nothing when it was not there. */
type Seen = string | undefined

interface Write {
  readonly version: Seen
  /** Of the store, at which this version came to be. */
  readonly revision: number
}

/**
 * The history of a store, and a check that what one observer sees, one look after the other, are always states that the store really had,
 * in their order: every look narrows down at which revision it was made, and no later look may be of an earlier one.
 */
export class History {
  readonly #writes = new Map<string, Write[]>()

  /** To be told in the order of revisions. `undefined` is a delete. */
  wrote(id: string | number, version: Seen, revision: number): void {
    const key = String(id)
    this.#writes.set(key, [...(this.#writes.get(key) ?? []), { version, revision }])
  }

  /** Who looks at one gateway, one look after the other. */
  observer(): Observer {
    return new Observer((id) => this.#writes.get(id) ?? [])
  }
}

export class Observer {
  readonly #writesOf: (id: string) => readonly Write[]
  /** Every look so far was of this revision or a later one. */
  #atLeast = 0

  constructor(writesOf: (id: string) => readonly Write[]) {
    this.#writesOf = writesOf
  }

  /** Throws when no state of the store that is not older than what was seen before shows this. */
  saw(id: string | number, version: Seen): void {
    const writes = this.#writesOf(String(id))
    const spans = [{ version: undefined as Seen, revision: 0 }, ...writes]
    for (const [i, { version: was, revision }] of spans.entries()) {
      const until = spans[i + 1]?.revision ?? Number.POSITIVE_INFINITY
      if (was !== version || until <= this.#atLeast) continue
      this.#atLeast = Math.max(this.#atLeast, revision)
      return
    }
    throw new Error(`/${id} showed ${version}, which it was not at revision ${this.#atLeast} or later`)
  }
}

/** Looks at one route after the other, again and again, until it is told to stop; rejects then when a look was of no state that there was. */
export function keepLooking(
  observer: Observer,
  ids: readonly (string | number)[],
  versionOf: (id: string | number) => Promise<Seen>,
): () => Promise<number> {
  let isOver = false
  let looks = 0
  const looking = (async () => {
    for (; !isOver; looks++) {
      const id = ids[looks % ids.length]!
      observer.saw(id, await versionOf(id))
    }
  })()
  // Told when it is stopped.
  looking.catch(() => undefined)
  return async () => {
    isOver = true
    await looking
    return looks
  }
}
