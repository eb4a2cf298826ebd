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

/**
 * Counts requests in flight per snapshot. What a publish replaced is disposed when the snapshot it belonged to, and every older
 * one, has no request left: an older request may still hold a newer one's parts through what it matched.
 */
export class Retirement {
  #epochs: Epoch[] = [{ pins: 0, garbage: [], isCurrent: true }]

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
    while (this.#epochs.length > 1 && this.#epochs[0]!.pins === 0) {
      for (const dispose of this.#epochs.shift()!.garbage) dispose()
    }
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
