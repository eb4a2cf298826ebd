/**
 * Whether this process should get traffic: no blocker is left and no stop has begun. Blockers have names that are shown to whoever asks
 * (systems.md §6.3 S2). One object per process; whoever blocks releases.
 */
export interface Readiness {
  /** Adds a reason not to be ready. */
  block(name: string): void
  /** Takes a reason away; releasing what does not block is no error. */
  release(name: string): void
  /** Names of what blocks, in the order in which they came; empty when nothing does. */
  reasons(): readonly string[]
  /** From now on not ready, whatever is released later. */
  startDraining(): void
  readonly isDraining: boolean
  readonly isReady: boolean
  /** Whether it has been ready at any time, so that its start is over. */
  readonly wasReady: boolean
}

export function createReadiness(blockers: readonly string[] = []): Readiness {
  const names = new Set(blockers)
  let isDraining = false
  let wasReady = names.size === 0
  return {
    block: (name) => void names.add(name),
    release: (name) => {
      names.delete(name)
      wasReady ||= names.size === 0
    },
    reasons: () => [...names],
    startDraining: () => {
      isDraining = true
    },
    get isDraining() {
      return isDraining
    },
    get isReady() {
      return !isDraining && names.size === 0
    },
    get wasReady() {
      return wasReady
    },
  }
}
