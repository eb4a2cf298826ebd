import { type Automaton, buildAutomaton, MATCHED_AT_END } from './safe-pattern-automaton.ts'
import { intersect, type Ranges, toRanges } from './safe-pattern-ranges.ts'
import type { PatternNode } from './safe-pattern-tree.ts'

/** Steps at most as a polynomial of the text's length: the factor of each power. `undefined` when there is no such bound. */
export type Cost = readonly number[]

interface Choice {
  readonly ranges: Ranges
  readonly cost: Cost
}

const MOST = 1e15

/**
 * How many steps a backtracking engine takes at most to search a text with this pattern. From above, so that a pattern may be
 * taken for worse than it is: `undefined` whenever a loop can go on in two ways with the same character.
 */
export function searchCost(node: PatternNode): Cost | undefined {
  const once = costFromOnePlace(node)
  if (once === undefined) return undefined
  return isAnchored(node) ? add(once, [0, 1]) : times(once)
}

function costFromOnePlace(node: PatternNode): Cost | undefined {
  const automaton = buildAutomaton(node)
  if (!automaton) return undefined
  const looks: Cost[] = []
  for (const { look } of automaton.states) {
    const cost = look ? costFromOnePlace(look) : [0]
    if (!cost) return undefined
    looks.push(cost)
  }
  const costs: Cost[] = []
  for (const loop of components(automaton)) {
    const cost = componentCost(automaton, loop, { costs, looks })
    if (!cost) return undefined
    for (const state of loop) costs[state] = cost
  }
  return add([1], worstChoice(choices(automaton, automaton.first, costs)))
}

/** Of all that can follow for a state, by its next character. */
function choices({ states }: Automaton, next: ReadonlyMap<number, number>, costs: readonly Cost[]): Choice[] {
  return [...next].flatMap(([state, ways]) =>
    state === MATCHED_AT_END ? [] : [{ ranges: states[state]!.ranges, cost: scale(costs[state]!, ways) }],
  )
}

/** What is known when the states behind a component have been looked at. */
interface Known {
  /** From each of these states to the end. */
  readonly costs: readonly Cost[]
  /** Of the lookaround at each state. */
  readonly looks: readonly Cost[]
}

function componentCost(automaton: Automaton, members: readonly number[], known: Known): Cost | undefined {
  const { costs, looks } = known
  const [only = 0] = members
  const { next: following } = automaton.states[only]!
  if (members.length === 1 && !following.has(only)) {
    return add([1], add(looks[only]!, worstChoice(choices(automaton, following, costs))))
  }
  const inside = new Set(members)
  let aside: Cost = [0]
  let onward: Cost = [0]
  let here: Cost = [members.length]
  let isLoop = false
  for (const member of members) {
    const next = automaton.states[member]!.next
    const staying = new Map([...next].filter(([state]) => inside.has(state)))
    const leaving = new Map([...next].filter(([state]) => !inside.has(state)))
    const stay = onlyWay(automaton, staying)
    if (!stay) return undefined
    isLoop ||= staying.size > 0
    const exits = choices(automaton, leaving, costs)
    here = add(here, looks[member]!)
    onward = most(onward, worstChoice(exits))
    aside = most(aside, worstChoice(exits.filter(({ ranges }) => intersect(ranges, stay).length > 0)))
  }
  return isLoop ? add(times(add(here, aside)), add(here, onward)) : add(here, onward)
}

/** The characters with which a loop goes on; `undefined` when one of them can go two ways. */
function onlyWay({ states }: Automaton, staying: ReadonlyMap<number, number>): Ranges | undefined {
  let taken: Ranges = []
  for (const [state, ways] of staying) {
    const { ranges } = states[state]!
    if (ways > 1 || intersect(taken, ranges).length > 0) return undefined
    taken = toRanges([...taken, ...ranges])
  }
  return taken
}

/** The most that can be behind one character: what excludes each other is not added up. */
function worstChoice(all: readonly Choice[]): Cost {
  if (all.length < 2) return all[0]?.cost ?? [0]
  // Where most of the sets overlap, one of their runs begins.
  const starts = new Set(all.flatMap(({ ranges }) => ranges.filter((_, i) => i % 2 === 0)))
  return [...starts].reduce<Cost>((worst, start) => most(worst, sumAt(all, start)), [0])
}

function sumAt(all: readonly Choice[], char: number): Cost {
  let sum: Cost = [0]
  for (const { ranges, cost } of all) if (intersect(ranges, [char, char]).length > 0) sum = add(sum, cost)
  return sum
}

/** Whether a match can begin at the start of the text only. */
function isAnchored(node: PatternNode): boolean {
  switch (node.kind) {
    case 'anchor':
      return node.at === 'start'
    case 'sequence':
      return node.parts.length > 0 && isAnchored(node.parts[0]!)
    case 'choice':
      return node.parts.every(isAnchored)
    case 'group':
      return isAnchored(node.body)
    case 'repeat':
      return node.min > 0 && isAnchored(node.body)
    default:
      return false
  }
}

/** Groups of states that reach each other, each behind all it leads to (Tarjan). */
function components({ states }: Automaton): number[][] {
  const found: number[][] = []
  const seen = new Map<number, number>()
  const stack: number[] = []
  const open = new Set<number>()
  const visit = (state: number): number => {
    const order = seen.size
    let lowest = order
    seen.set(state, order)
    stack.push(state)
    open.add(state)
    for (const next of states[state]!.next.keys()) {
      if (next === MATCHED_AT_END) continue
      if (!seen.has(next)) lowest = Math.min(lowest, visit(next))
      else if (open.has(next)) lowest = Math.min(lowest, seen.get(next)!)
    }
    if (lowest === order) {
      const members = stack.splice(stack.lastIndexOf(state))
      for (const member of members) open.delete(member)
      found.push(members)
    }
    return lowest
  }
  for (let state = 0; state < states.length; state++) if (!seen.has(state)) visit(state)
  return found
}

/** The longest text that stays within `budget` steps; Infinity when the cost does not grow faster than the text by `slope`. */
export function longestWithin(cost: Cost | undefined, budget: number, slope: number): number {
  if (cost === undefined) return 0
  if (cost.every((factor, power) => factor <= (power < 2 ? slope : 0))) return Infinity
  let low = 0
  let high = budget
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (stepsFor(cost, middle) <= budget) low = middle
    else high = middle - 1
  }
  return low
}

function stepsFor(cost: Cost, length: number): number {
  return cost.reduceRight((sum, factor) => sum * length + factor, 0)
}

function add(one: Cost, other: Cost): Cost {
  return pairwise(one, other, (a, b) => Math.min(a + b, MOST))
}

function most(one: Cost, other: Cost): Cost {
  return pairwise(one, other, Math.max)
}

function pairwise(one: Cost, other: Cost, join: (a: number, b: number) => number): Cost {
  const joined: number[] = []
  const length = Math.max(one.length, other.length)
  for (let i = 0; i < length; i++) joined.push(join(one[i] ?? 0, other[i] ?? 0))
  return joined
}

/** For each character of the text. */
function times(cost: Cost): Cost {
  return [0, ...cost]
}

function scale(cost: Cost, factor: number): Cost {
  return factor === 1 ? cost : cost.map((each) => Math.min(each * factor, MOST))
}
