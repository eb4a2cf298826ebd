import type { Component } from './components.ts'

/** `waiting`: its turn to start has not come; `failed`: it could not start. */
export type ComponentState = 'waiting' | 'starting' | 'running' | 'stopping' | 'stopped' | 'failed'

/** One component as it is now. */
export interface ShownComponent {
  readonly name: string
  readonly rank: number
  readonly state: ComponentState
  /** How long its start took; absent until it has. */
  readonly startMs?: number
}

interface Entry {
  state: ComponentState
  startMs: number | undefined
}

/** Keeps what each component of a process is doing, for whoever asks while it starts or stops. */
export class ComponentStates {
  readonly #entries = new Map<Component, Entry>()
  readonly #nowMs: () => number

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** The same component, whose start and stop are noted. To be started and stopped in its place. */
  watched(component: Component): Component {
    const entry: Entry = { state: 'waiting', startMs: undefined }
    const watched: Component = {
      ...component,
      start: async (signal) => {
        entry.state = 'starting'
        const beganMs = this.#nowMs()
        try {
          await component.start(signal)
        } catch (error) {
          entry.state = 'failed'
          throw error
        }
        entry.state = 'running'
        entry.startMs = Math.round(this.#nowMs() - beganMs)
      },
      stop: async (deadline) => {
        entry.state = 'stopping'
        try {
          return await component.stop(deadline)
        } finally {
          entry.state = 'stopped'
        }
      },
    }
    this.#entries.set(watched, entry)
    return watched
  }

  /** In the order in which they start. */
  list(): readonly ShownComponent[] {
    const all = [...this.#entries].sort(([one], [other]) => one.rank - other.rank)
    return all.map(([{ name, rank }, { state, startMs }]) => ({
      ...{ name, rank, state },
      ...(startMs !== undefined && { startMs }),
    }))
  }
}
