import type { Transform } from 'node:stream'
import type { BodyFilter, BodyStream } from '../plugin/definition.ts'

/** Where filtered bytes go. */
export interface BodySink {
  /** Returns false to be given nothing more until {@link BodyPipeline.resume}. */
  write(chunk: Uint8Array): boolean
  end(): void
  /** A stream broke, or what follows it threw: what has been given is not the whole. Called once at most, in place of `end`. */
  fail(error: unknown): void
}

/** Where the bytes come from; asked to go on after {@link BodyPipeline.write} answered false. */
export interface BodySource {
  resume(): void
}

interface Stage extends BodySource {
  write(chunk: Uint8Array): boolean
  end(trailers?: readonly string[]): void
}

type Next = Pick<BodySink, 'write' | 'end'>

/** Body filters one behind the other, streams among them, with back-pressure from the sink to the source. */
export class BodyPipeline {
  readonly #streams: Transform[] = []
  readonly #first: Stage
  readonly #last: BodySource

  constructor(filters: readonly (BodyFilter | BodyStream)[], source: BodySource, sink: BodySink) {
    let next: Next = sink
    let isFailed = false
    const fail = (error: unknown) => {
      if (isFailed) return
      isFailed = true
      sink.fail(error)
    }
    const stages: Stage[] = []
    // Built from the end, where each stage knows its next; the way back is by index.
    for (let i = filters.length - 1; i >= 0; i--) {
      const filter = filters[i]!
      const before: BodySource = { resume: () => (i === 0 ? source : stages[i - 1]!).resume() }
      const stage: Stage = isStream(filter)
        ? streamStage(filter.stream, before, { next, fail })
        : plainStage(filter, before, next)
      if (isStream(filter)) this.#streams.push(filter.stream)
      stages[i] = stage
      next = stage
    }
    this.#first = stages[0] ?? {
      write: (chunk) => sink.write(chunk),
      end: () => sink.end(),
      resume: () => source.resume(),
    }
    this.#last = stages.at(-1) ?? source
  }

  /** `chunk` is handed over. Returns false when the source has to wait. */
  write(chunk: Uint8Array): boolean {
    return this.#first.write(chunk)
  }

  end(trailers?: readonly string[]): void {
    this.#first.end(trailers)
  }

  /** The sink takes more. */
  resume(): void {
    this.#last.resume()
  }

  /** Nobody waits for the rest. Idempotent. */
  destroy(): void {
    for (const stream of this.#streams) stream.destroy()
  }
}

/** Whether a filter is a stream rather than a pair of functions. */
export function isStream(filter: BodyFilter | BodyStream): filter is BodyStream {
  return 'stream' in filter
}

function plainStage(filter: BodyFilter, before: BodySource, next: Next): Stage {
  return {
    write(chunk) {
      const changed = filter.write(chunk)
      return changed === undefined || next.write(changed)
    },
    end(trailers) {
      const tail = filter.end(trailers)
      if (tail !== undefined) next.write(tail)
      next.end()
    },
    resume: () => before.resume(),
  }
}

function streamStage(
  stream: Transform,
  before: BodySource,
  { next, fail }: { readonly next: Next; fail(error: unknown): void },
): Stage {
  const guarded = (work: () => void) => {
    try {
      work()
    } catch (error) {
      stream.destroy()
      fail(error)
    }
  }
  stream.on('drain', () => guarded(() => before.resume()))
  stream.on('data', (chunk: Uint8Array) =>
    guarded(() => {
      if (!next.write(chunk)) stream.pause()
    }),
  )
  stream.on('end', () => guarded(() => next.end()))
  stream.on('error', fail)
  return {
    write: (chunk) => stream.write(chunk),
    end: () => void stream.end(),
    resume: () => void stream.resume(),
  }
}
