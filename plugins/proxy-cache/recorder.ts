import type { BodyFilter, RequestContext } from '../../src/plugin/api.ts'
import type { Recording } from '../_shared/cache/cache-store.ts'
import type { CacheRules } from './rules.ts'
import { storedHeaders } from './stored-headers.ts'
import type { Visit } from './visit.ts'
import type { Zone } from './zones.ts'

export interface RecorderParts {
  readonly zone: Zone
  readonly rules: CacheRules
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly maxBodyBytes: number
}

const LEAST_SERVER_ERROR = 500

/** The way back: stores what the upstream answers, as far as it may be stored and is whole. */
export class Recorder {
  readonly #parts: RecorderParts

  constructor(parts: RecorderParts) {
    this.#parts = parts
  }

  /** Once the head of the response is known. */
  begin(visit: Visit, context: RequestContext): void {
    visit.recording = this.#record(visit, context)
    if (visit.recording) {
      // With credentials, and for everyone after all.
      if (visit.status === 'BYPASS' && visit.verdict.mayLookUp) visit.status = 'MISS'
      return
    }
    const { source, status } = context.response
    const isOfThisKind = source === 'upstream' && status < LEAST_SERVER_ERROR
    this.#settle(visit, isOfThisKind ? 'unstorable' : 'failed')
  }

  /** Sees the body go by. */
  filter(visit: Visit): BodyFilter | undefined {
    const { recording } = visit
    if (!recording) return undefined
    const { maxBodyBytes } = this.#parts
    let bytes = 0
    let isOpen = true
    return {
      isObserver: true,
      // From the cache an answer passes all filters again.
      seesReceived: true,
      write: (chunk) => {
        bytes += chunk.length
        if (isOpen && (bytes > maxBodyBytes || !recording.write(chunk))) {
          isOpen = false
          this.#giveUp(visit, 'unstorable')
        }
        return chunk
      },
      end: (trailers) => {
        // Trailers have no place in what is stored.
        if (isOpen && (trailers?.length ?? 0) > 0) this.#giveUp(visit, 'unstorable')
        else if (isOpen) this.#commit(visit, recording)
        return undefined
      },
    }
  }

  /** The exchange has ended; what is not whole by now will never be. */
  end(visit: Visit): void {
    visit.isOver = true
    visit.body?.destroy()
    if (visit.recording) this.#giveUp(visit, 'failed')
    else if (visit.flight) this.#settle(visit, 'failed')
  }

  #record(visit: Visit, context: RequestContext): Recording | undefined {
    const { verdict, address } = visit
    const { received, hasKnownEnd } = context.response
    if (!verdict.mayStore || !address || !received || !hasKnownEnd) return undefined
    const terms = this.#parts.rules.response(context, received)
    if (!terms || (verdict.isGuarded && !terms.isPublic)) return undefined
    const { headers, status } = received
    const length = headers.get('content-length')
    const head = {
      status,
      headers: storedHeaders(headers),
      storedAtMs: this.#parts.now(),
      initialAgeS: ageOf(headers.get('age')),
      ...terms,
    }
    return this.#parts.zone.store.record(address, head, length === undefined ? undefined : Number(length))
  }

  #commit(visit: Visit, recording: Recording): void {
    visit.recording = undefined
    const { flight } = visit
    visit.flight = undefined
    const settle = (isStored: boolean) => {
      if (flight) this.#parts.zone.flights.settle(flight, isStored ? 'stored' : 'failed')
    }
    const stored = recording.commit()
    if (stored instanceof Promise) void stored.then(settle)
    else settle(stored)
  }

  #giveUp(visit: Visit, outcome: 'failed' | 'unstorable'): void {
    visit.recording?.abort()
    visit.recording = undefined
    this.#settle(visit, outcome)
  }

  #settle(visit: Visit, outcome: 'failed' | 'unstorable'): void {
    const { flight } = visit
    if (!flight) return
    visit.flight = undefined
    this.#parts.zone.flights.settle(flight, outcome)
  }
}

function ageOf(text: string | undefined): number {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : 0
}
