type Admitted = () => void

/** Lets a fixed number in at once; the others wait in the order they came. Who waits is bounded by who asks: each once. */
export class Gate {
  readonly #waiting = new Set<Admitted>()
  #free: number

  constructor(limit: number) {
    this.#free = limit
  }

  /** Calls `admitted` when there is room, at once if there is. */
  enter(admitted: Admitted): void {
    if (this.#free === 0) {
      this.#waiting.add(admitted)
      return
    }
    this.#free--
    admitted()
  }

  /** Takes one that waits out of the line. */
  forget(admitted: Admitted): void {
    this.#waiting.delete(admitted)
  }

  /** Once for each one admitted. */
  leave(): void {
    this.#free++
    const [next] = this.#waiting
    if (next === undefined) return
    this.#waiting.delete(next)
    this.#free--
    next()
  }
}

/** Calls `run` once it is through all gates, in their order. The result leaves them, or the line in front of them; idempotent. */
export function passThrough(gates: readonly Gate[], run: () => void): () => void {
  const held: Gate[] = []
  const step = () => {
    const gate = gates[held.length]
    if (gate) gate.enter(admitted)
    else run()
  }
  const admitted = () => {
    held.push(gates[held.length]!)
    step()
  }
  step()
  return () => {
    for (const gate of gates) gate.forget(admitted)
    for (const gate of held.splice(0)) gate.leave()
  }
}
