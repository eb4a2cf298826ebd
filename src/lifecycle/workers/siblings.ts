import { readFileSync } from 'node:fs'
import type { Clock } from '../../lib/clock.ts'

/** Processes as this machine shows them; a test hands in its own. */
export interface Processes {
  /** What tells a process from a later one of the same number; `undefined` when it is not at work, or this system does not say. */
  startOf(pid: number): string | undefined
  /** From now on this process is not at work: whoever else waits does not wait for it. */
  rest(): void
  /** SIGKILL. */
  kill(pid: number): void
}

const CHECK_MS = 200

/**
 * The other workers of a node. When the primary process is gone, nobody is left who would end one that hangs: whoever has ended its own work
 * waits for the others, and kills those that outlast what any worker may take.
 */
export class Siblings {
  readonly #processes: Processes
  /** By number: what they started with. */
  #known: ReadonlyMap<number, string> = new Map()

  constructor(processes: Processes = THIS_MACHINE) {
    this.#processes = processes
  }

  /** All workers that there are now, while the primary says so; this one is passed over. */
  learn(pids: readonly number[]): void {
    const known = new Map<number, string>()
    for (const pid of pids) {
      const start = this.#known.get(pid) ?? this.#processes.startOf(pid)
      if (start !== undefined && pid !== process.pid) known.set(pid, start)
    }
    this.#known = known
  }

  /** Resolves with the numbers of those that had to be killed, when all are gone. */
  async outlive(limitMs: number, clock: Clock): Promise<readonly number[]> {
    this.#processes.rest()
    const endMs = clock.nowMs() + limitMs
    while (this.#living().length > 0 && clock.nowMs() < endMs) {
      await new Promise<void>((resolve) => clock.schedule(CHECK_MS, resolve))
    }
    const left = this.#living()
    for (const pid of left) this.#processes.kill(pid)
    return left
  }

  #living(): readonly number[] {
    return [...this.#known].flatMap(([pid, start]) => (this.#processes.startOf(pid) === start ? [pid] : []))
  }
}

/** The title of a process that only waits. */
const AT_REST = 'gatewright worker at rest'

/** Of `/proc/PID/stat`, counted behind the name, which may hold anything. */
const STATE = 0
const START_TIME = 19

const THIS_MACHINE: Processes = {
  startOf(pid) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const isAtRest = readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith(AT_REST)
      // One that nobody has taken notice of is over nonetheless.
      return fields[STATE] === 'Z' || isAtRest ? undefined : fields[START_TIME]
    } catch {
      // Gone, or not Linux: then nobody is waited for.
      return undefined
    }
  },
  rest() {
    process.title = AT_REST
  },
  kill(pid) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has just ended.
    }
  },
}
