import type { Series } from './series.ts'

interface Sighting {
  readonly mark: number
  readonly atMs: number
}

/**
 * Finds the series of a metric that have not changed for a while. It looks when it is asked, so that counting costs nothing: a
 * change is dated to the first look that sees it.
 */
export class Expiry {
  readonly #expireMs: number
  #sightings = new Map<Series, Sighting>()

  constructor(expireMs: number) {
    this.#expireMs = expireMs
  }

  /** Those of `all` whose time is over at `nowMs`. */
  due(all: Iterable<Series>, nowMs: number): Set<Series> {
    const due = new Set<Series>()
    const sightings = new Map<Series, Sighting>()
    for (const series of all) {
      const seen = this.#sightings.get(series)
      const { mark } = series
      if (seen?.mark !== mark) sightings.set(series, { mark, atMs: nowMs })
      else if (nowMs - seen.atMs < this.#expireMs) sightings.set(series, seen)
      else due.add(series)
    }
    this.#sightings = sightings
    return due
  }
}
