import type { DebugSource } from '../control/timeline.ts'
import type { Link } from '../lifecycle/workers/link.ts'
import type { TimelineRecord } from '../plugin/timeline.ts'
import type { DebugSettings } from '../settings/settings.ts'
import type { Debug } from './debug.ts'

/** In a worker: does as the primary says, and answers what it asks of requests. */
export function answerDebug(link: Link, debug: Debug): void {
  link.on('debug', (settings: Partial<DebugSettings>) => debug.set(settings))
  link.on('timeline', (id: string) => debug.timeline.find(id) ?? null)
  link.on('timelines', (count: number) => debug.timeline.newest(count))
}

/** In the primary: switches all workers, and asks those that serve for the timelines of their requests. */
export class WorkersDebug implements DebugSource {
  readonly #own: Debug
  readonly #links: () => readonly Link[]

  constructor(own: Debug, links: () => readonly Link[]) {
    this.#own = own
    this.#links = links
  }

  /** Also for workers to come. */
  get settings(): DebugSettings {
    return this.#own.settings
  }

  set(settings: Partial<DebugSettings>): void {
    this.#own.set(settings)
    for (const link of this.#links()) link.tellLatest('debug', settings)
  }

  readonly timeline: DebugSource['timeline'] = {
    capacity: () => this.#own.timeline.capacity * this.#links().length,
    find: async (id) => {
      // Nothing is null on its way between processes.
      const found = await this.#askAll<TimelineRecord | null>('timeline', id)
      return newestFirst(found.filter((record) => record !== null))[0]
    },
    newest: async (count) => {
      const found = await this.#askAll<readonly TimelineRecord[]>('timelines', count)
      return newestFirst(found.flat()).slice(0, count)
    },
  }

  /** What the workers answer; one that is gone meanwhile answers nothing. */
  async #askAll<Answer>(topic: string, body: unknown): Promise<Answer[]> {
    const answers = await Promise.allSettled(this.#links().map((link) => link.ask<Answer>(topic, body)))
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  }
}

function newestFirst(records: readonly TimelineRecord[]): TimelineRecord[] {
  return [...records].sort((a, b) => b.endedAtMs - a.endedAtMs)
}
