import type { Asked, LookUp } from './look-up.ts'
import type { StoredReference } from './reference.ts'
import { fieldOf } from './secret-document.ts'

/** The references that are known, grouped into look-ups. */
export class AskedReferences {
  readonly #asked = new Map<string, Asked>()
  readonly #lookUps = new Map<string, LookUp>()
  /** Those that no document retains, oldest first. */
  readonly #loose = new Set<Asked>()

  get(text: string): Asked | undefined {
    return this.#asked.get(text)
  }

  /** In the order in which they were asked for. */
  values(): Iterable<Asked> {
    return this.#asked.values()
  }

  lookUps(): Iterable<LookUp> {
    return this.#lookUps.values()
  }

  /** A field that is there already is answered at once; for any other a call is needed. */
  add(text: string, reference: StoredReference): Asked {
    const key = keyOf(reference)
    const lookUp = this.#lookUps.get(key) ?? newLookUp(reference)
    this.#lookUps.set(key, lookUp)
    const found = lookUp.document && fieldOf(lookUp.document, reference.field)
    // A field that is not there may have come into being after the last call.
    const answer = found?.ok ? found : undefined
    const asked: Asked = { text, reference, lookUp, uses: 0, answer, told: undefined }
    lookUp.asked.add(asked)
    this.#asked.set(text, asked)
    this.#loose.add(asked)
    return asked
  }

  retain(asked: Asked): void {
    asked.uses++
    this.#loose.delete(asked)
  }

  /** Returns whether nobody retains it any more. */
  release(asked: Asked): boolean {
    if (asked.uses > 0) asked.uses--
    return asked.uses === 0
  }

  /** Returns whether its look-up went with it. */
  forget(asked: Asked): boolean {
    const { lookUp } = asked
    this.#asked.delete(asked.text)
    this.#loose.delete(asked)
    lookUp.asked.delete(asked)
    return lookUp.asked.size === 0 && this.#lookUps.delete(keyOf(lookUp))
  }

  /** Those that no document retains and that are too many: the oldest, good and bad ones counted apart. */
  surplus({ count, negativeCount }: { count: number; negativeCount: number }): Asked[] {
    const loose = [...this.#loose]
    const good = loose.filter(({ answer }) => answer?.ok)
    const bad = loose.filter(({ answer }) => !answer?.ok)
    return [
      ...good.slice(0, Math.max(good.length - count, 0)),
      ...bad.slice(0, Math.max(bad.length - negativeCount, 0)),
    ]
  }

  clear(): void {
    this.#asked.clear()
    this.#lookUps.clear()
    this.#loose.clear()
  }
}

function keyOf({ manager, path }: { readonly manager: string; readonly path: string }): string {
  return `${manager}/${path}`
}

function newLookUp({ manager, path }: StoredReference): LookUp {
  return {
    manager,
    path,
    asked: new Set(),
    document: undefined,
    fetchedAtMs: 0,
    problem: undefined,
    cancelNext: undefined,
    isStarted: false,
  }
}
