import type { Disposal } from './retire.ts'

/**
 * The work of compiling one resource, all or nothing: what it started is undone when it fails, what it changes is shown only
 * when the round commits, what it replaces is disposed when no request can reach it.
 */
export class Transaction {
  readonly #undo: Disposal[] = []
  readonly commits: Disposal[] = []
  readonly garbage: Disposal[] = []

  /** Undone, last first, if this resource turns out to be unusable. */
  onFailure(undo: Disposal): void {
    this.#undo.push(undo)
  }

  /** Made visible with the rest of the round. Must not throw. */
  onCommit(action: Disposal): void {
    this.commits.push(action)
  }

  /** Disposed after the last request that may use it. */
  onRetire(dispose: Disposal): void {
    this.garbage.push(dispose)
  }

  fail(): void {
    for (const undo of this.#undo.reverse()) undo()
  }
}
