import { type Ranges, toRanges } from './safe-pattern-ranges.ts'
import type { PatternNode, Repeat } from './safe-pattern-tree.ts'

/**
 * The places of a pattern at which a character is read, and for each which come next and in how many ways (Glushkov's automaton
 * with ways counted, because a backtracking engine tries every one). A lookaround is a place that reads nothing.
 */
export interface Automaton {
  readonly states: readonly State[]
  readonly first: ReadonlyMap<number, number>
}

interface State {
  /** What it reads; for a lookaround, what can be read next. */
  readonly ranges: Ranges
  readonly next: ReadonlyMap<number, number>
  readonly look?: PatternNode
}

/** Stands for the end of the pattern among what comes next. */
export const MATCHED_AT_END = -1

const MAX_STATES = 400
const MAX_WAYS = 1e9
const ANY: Ranges = [0, 0x10ffff]

type Ways = Map<number, number>

interface Part {
  readonly first: Ways
  readonly last: Ways
  /** In how many ways it can be empty. */
  readonly empty: number
}

const NOTHING: Part = { first: new Map(), last: new Map(), empty: 1 }

class TooLargeError extends Error {}

/** The automaton of `node`; `undefined` when it has too many places to be looked at. */
export function buildAutomaton(node: PatternNode): Automaton | undefined {
  const builder = new Builder()
  try {
    const whole = builder.build(node)
    for (const state of whole.last.keys()) builder.next[state]!.set(MATCHED_AT_END, 1)
    return { states: builder.states(), first: whole.first }
  } catch (error) {
    if (error instanceof TooLargeError) return undefined
    throw error
  }
}

class Builder {
  readonly next: Ways[] = []
  private readonly sets: Ranges[] = []
  private readonly looks = new Map<number, PatternNode>()

  build(node: PatternNode): Part {
    switch (node.kind) {
      case 'set':
        return this.place(node.ranges)
      case 'look':
        return this.place([], node.body)
      case 'reference':
        return this.loop(this.place(ANY), true)
      case 'anchor':
        return NOTHING
      case 'group':
        return this.build(node.body)
      case 'sequence':
        return node.parts.reduce<Part>((before, part) => this.join(before, this.build(part)), NOTHING)
      case 'choice':
        return node.parts.map((part) => this.build(part)).reduce(either)
      case 'repeat':
        return this.repeat(node)
    }
  }

  states(): State[] {
    for (let isSettled = false; !isSettled; ) isSettled = this.settleLooks()
    return this.next.map((next, state) => {
      const look = this.looks.get(state)
      return { ranges: this.sets[state]!, next, ...(look && { look }) }
    })
  }

  /** A lookaround stands before what is read behind it; lookarounds may stand before each other. */
  private settleLooks(): boolean {
    let isSettled = true
    for (const state of this.looks.keys()) {
      const reads = [...this.next[state]!.keys()].map((next) =>
        next === MATCHED_AT_END ? ANY : this.sets[next]!,
      )
      const ranges = toRanges(reads.flat())
      if (ranges.join() === this.sets[state]!.join()) continue
      this.sets[state] = ranges
      isSettled = false
    }
    return isSettled
  }

  private place(ranges: Ranges, look?: PatternNode): Part {
    const state = this.sets.push(ranges) - 1
    if (state >= MAX_STATES) throw new TooLargeError()
    this.next.push(new Map())
    if (look) this.looks.set(state, look)
    return { first: new Map([[state, 1]]), last: new Map([[state, 1]]), empty: 0 }
  }

  private join(one: Part, other: Part): Part {
    this.connect(one.last, other.first)
    return {
      first: sum(one.first, other.first, one.empty),
      last: sum(other.last, one.last, other.empty),
      empty: Math.min(one.empty * other.empty, MAX_WAYS),
    }
  }

  private connect(last: Ways, first: Ways): void {
    for (const [from, ways] of last) {
      const next = this.next[from]!
      for (const [to, more] of first) next.set(to, Math.min((next.get(to) ?? 0) + ways * more, MAX_WAYS))
    }
  }

  private repeat({ body, min, max }: Repeat): Part {
    if (max === 0) return NOTHING
    const required = max === Infinity ? Math.max(min - 1, 0) : min
    if (required + (max === Infinity ? 1 : max - min) > MAX_STATES) throw new TooLargeError()
    let tail: Part = NOTHING
    if (max === Infinity) tail = this.loop(this.build(body), min === 0)
    else for (let i = min; i < max; i++) tail = optional(this.join(this.build(body), tail))
    for (let i = 0; i < required; i++) tail = this.join(this.build(body), tail)
    return tail
  }

  private loop(body: Part, mayBeEmpty: boolean): Part {
    this.connect(body.last, body.first)
    return mayBeEmpty ? optional(body) : body
  }
}

/** An engine gives up an optional round that read nothing, so that there is one way to be empty. */
function optional(body: Part): Part {
  return { ...body, empty: 1 }
}

function either(one: Part, other: Part): Part {
  return {
    first: sum(one.first, other.first, 1),
    last: sum(one.last, other.last, 1),
    empty: Math.min(one.empty + other.empty, MAX_WAYS),
  }
}

function sum(one: Ways, other: Ways, times: number): Ways {
  if (times === 0) return one
  const total = new Map(one)
  for (const [state, ways] of other) {
    total.set(state, Math.min((total.get(state) ?? 0) + ways * times, MAX_WAYS))
  }
  return total
}
