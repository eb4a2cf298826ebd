import type { BodyFilter, BodyStream } from '../plugin/definition.ts'

/** Whether what comes out of a filter may be longer or shorter than what went in. */
export function changesLength(filter: BodyFilter | BodyStream): boolean {
  return !('isObserver' in filter && filter.isObserver)
}

/** Passes a chunk through every filter in order; `undefined` when nothing is to be sent now. */
export function filterChunk(filters: readonly BodyFilter[], chunk: Uint8Array): Uint8Array | undefined {
  let bytes: Uint8Array | undefined = chunk
  for (const filter of filters) {
    bytes = filter.write(bytes)
    if (bytes === undefined) return undefined
  }
  return bytes
}

/** Ends every filter in order; what one still had goes through those behind it. */
export function filterEnd(
  filters: readonly BodyFilter[],
  trailers?: readonly string[],
): Uint8Array | undefined {
  let tail: Uint8Array | undefined
  for (const filter of filters) tail = joined(tail && filter.write(tail), filter.end(trailers))
  return tail
}

function joined(first: Uint8Array | undefined, second: Uint8Array | undefined): Uint8Array | undefined {
  return first && second ? Buffer.concat([first, second]) : (first ?? second)
}
