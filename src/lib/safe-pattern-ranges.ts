/** A set of characters: first and last of each run, ascending and apart from each other. */
export type Ranges = readonly number[]

/** The runs of `pairs` (first, last, first, last …, in any order), sorted and joined. */
export function toRanges(pairs: readonly number[]): Ranges {
  const runs: [number, number][] = []
  for (let i = 0; i < pairs.length; i += 2) runs.push([pairs[i]!, pairs[i + 1]!])
  runs.sort((a, b) => a[0] - b[0])
  const joined: number[] = []
  for (const [first, last] of runs) {
    const end = joined.length - 1
    if (end > 0 && first <= joined[end]! + 1) joined[end] = Math.max(joined[end]!, last)
    else joined.push(first, last)
  }
  return joined
}

/** All characters up to `max` that are not in `ranges`. */
export function complement(ranges: Ranges, max: number): Ranges {
  const others: number[] = []
  let next = 0
  for (let i = 0; i < ranges.length; i += 2) {
    if (ranges[i]! > next) others.push(next, ranges[i]! - 1)
    next = ranges[i + 1]! + 1
  }
  if (next <= max) others.push(next, max)
  return others
}

/** What is in both. */
export function intersect(one: Ranges, other: Ranges): Ranges {
  const shared: number[] = []
  let i = 0
  let j = 0
  while (i < one.length && j < other.length) {
    const first = Math.max(one[i]!, other[j]!)
    const last = Math.min(one[i + 1]!, other[j + 1]!)
    if (first <= last) shared.push(first, last)
    if (one[i + 1]! < other[j + 1]!) i += 2
    else j += 2
  }
  return shared
}

const LAST_ASCII = 0x7f
const LAST_UNIT = 0xffff

/** `ranges` with every character that is the same but for its case, as ECMAScript compares code units (Canonicalize, without `u`). */
export function ignoringCase(ranges: Ranges): Ranges {
  const beyondAscii = intersect(ranges, [LAST_ASCII + 1, LAST_UNIT])
  const isWhole =
    beyondAscii.length === 2 && beyondAscii[0] === LAST_ASCII + 1 && beyondAscii[1] === LAST_UNIT
  // What is not ASCII is never the same as something that is: most sets need the short way only.
  const end = beyondAscii.length === 0 || isWhole ? LAST_ASCII : LAST_UNIT
  const wanted = new Set<number>()
  const pairs = [...ranges]
  for (let i = 0; i < ranges.length; i += 2) {
    for (let unit = ranges[i]!; unit <= Math.min(ranges[i + 1]!, end); unit++) wanted.add(canonical(unit))
  }
  for (let unit = 0; unit <= end; unit++) if (wanted.has(canonical(unit))) pairs.push(unit, unit)
  return toRanges(pairs)
}

function canonical(unit: number): number {
  const upper = String.fromCharCode(unit).toUpperCase()
  const code = upper.charCodeAt(0)
  return upper.length !== 1 || (unit > LAST_ASCII && code <= LAST_ASCII) ? unit : code
}
