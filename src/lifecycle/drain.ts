/** Work of one kind that a stop waits for. */
export interface PendingWork {
  readonly component: string
  readonly count: number
}

/** `graceful`: what is under way may end. `immediate`: nothing is waited for any more. */
export type DrainMode = 'graceful' | 'immediate'

/**
 * What a stop waits for, what has acknowledged it, and what was cut, by name (systems.md §6.5). One per process. Work holds it up, or is counted
 * where it is; listeners and timers are told, and not waited for.
 */
export class Drain {
  readonly #held = new Map<string, number>()
  readonly #counted = new Map<string, () => number>()
  readonly #forced = new Map<string, number>()
  readonly #listeners = new Set<(mode: DrainMode) => void>()
  #mode: DrainMode | undefined
  #acknowledged = 0

  /** Absent as long as nobody has asked for a stop. */
  get mode(): DrainMode | undefined {
    return this.#mode
  }

  /** Acknowledgements since the stop was asked for: each is a piece of work that ended. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  /** What was cut, or left behind when its time was over. */
  get forced(): readonly PendingWork[] {
    return listed(this.#forced)
  }

  /** Of the forced, those whose name begins with this word. */
  forcedOf(word: string): number {
    return this.forced
      .filter(({ component }) => component === word || component.startsWith(`${word} `))
      .reduce((sum, { count }) => sum + count, 0)
  }

  /** What is counted, whether there is any or not. */
  get kinds(): readonly string[] {
    return [...this.#counted.keys()]
  }

  /** Work that has its own count. */
  counted(component: string, pending: () => number): void {
    this.#counted.set(component, pending)
  }

  /**
   * The stop waits for this until the result is called, which is the acknowledgement; to call it again does nothing. Once nothing is waited for any
   * more, nobody waits for what comes.
   */
  hold(component: string): () => void {
    if (this.#mode === 'immediate') return () => undefined
    this.#held.set(component, (this.#held.get(component) ?? 0) + 1)
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      const left = (this.#held.get(component) ?? 1) - 1
      if (left > 0) this.#held.set(component, left)
      else this.#held.delete(component)
      if (this.#mode) this.#acknowledged++
    }
  }

  /** Calls `listener` when a stop begins, and again when it becomes immediate; at once where it has. The result ends that. */
  onDrain(listener: (mode: DrainMode) => void): () => void {
    this.#listeners.add(listener)
    if (this.#mode) listener(this.#mode)
    return () => void this.#listeners.delete(listener)
  }

  /** Begins a stop, or makes it immediate; it never becomes milder. */
  start(mode: DrainMode): void {
    if (this.#mode === mode || this.#mode === 'immediate') return
    this.#mode = mode
    for (const listener of this.#listeners) listener(mode)
  }

  /** Something did not end in time. */
  force(component: string, count = 1): void {
    if (count > 0) this.#forced.set(component, (this.#forced.get(component) ?? 0) + count)
  }

  /** What has not acknowledged yet. */
  pending(): readonly PendingWork[] {
    const all = new Map(this.#held)
    for (const [component, count] of this.#counted) all.set(component, (all.get(component) ?? 0) + count())
    return listed(all)
  }
}

function listed(counts: ReadonlyMap<string, number>): readonly PendingWork[] {
  return [...counts].flatMap(([component, count]) => (count > 0 ? [{ component, count }] : []))
}
