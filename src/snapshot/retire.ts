/** What a snapshot alone held once it is superseded; called when no request can reach it any more. */
export type Disposal = () => void

interface Epoch {
  pins: number
  garbage: readonly Disposal[]
  isCurrent: boolean
}

/** One request's hold on the snapshot it began with. */
export interface Pin {
  /** Exactly once, even when the request was aborted. */
  release(): void
}

/** So many are disposed at once; more wait for their turns, so that the request that ended last does not hold up the others. */
const AT_ONCE = 200

/**
 * Counts requests in flight per snapshot. What a publish replaced is disposed when the snapshot it belonged to, and every older
 * one, has no request left: an older request may still hold a newer one's parts through what it matched.
 */
export class Retirement {
  #epochs: Epoch[] = [{ pins: 0, garbage: [], isCurrent: true }]
  /** In reverse order. */
  #waiting: Disposal[] = []

  /** Snapshots that requests still hold, the current one included. */
  get held(): number {
    return this.#epochs.length
  }

  pin(): Pin {
    return new EpochPin(this.#epochs.at(-1)!, this)
  }

  /** A new snapshot has been published; `garbage` is what it replaced. */
  advance(garbage: readonly Disposal[]): void {
    const old = this.#epochs.at(-1)!
    old.isCurrent = false
    old.garbage = garbage
    this.#epochs.push({ pins: 0, garbage: [], isCurrent: true })
    this.sweep()
  }

  /** Disposes what no request can reach. Called on the last release of a snapshot. */
  sweep(): void {
    const isUnderWay = this.#waiting.length > 0
    const due: Disposal[] = []
    while (this.#epochs.length > 1 && this.#epochs[0]!.pins === 0) {
      for (const dispose of this.#epochs.shift()!.garbage) due.push(dispose)
    }
    if (due.length === 0) return
    this.#waiting = [...due.reverse(), ...this.#waiting]
    if (!isUnderWay) this.#disposeSome()
  }

  /** Disposes at once what waits for its turn. */
  flush(): void {
    for (let dispose = this.#waiting.pop(); dispose; dispose = this.#waiting.pop()) dispose()
  }

  #disposeSome(): void {
    for (let count = 0; count < AT_ONCE; count++) {
      const dispose = this.#waiting.pop()
      if (!dispose) return
      dispose()
    }
    if (this.#waiting.length > 0) setImmediate(() => this.#disposeSome())
  }
}

class EpochPin implements Pin {
  readonly #epoch: Epoch
  readonly #retirement: Retirement
  #isHeld = true

  constructor(epoch: Epoch, retirement: Retirement) {
    this.#epoch = epoch
    this.#retirement = retirement
    epoch.pins++
  }

  release(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    if (--this.#epoch.pins === 0 && !this.#epoch.isCurrent) this.#retirement.sweep()
  }
}
