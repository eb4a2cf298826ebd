/** One step of a path: what is taken of each value, and whether of all below it too. */
interface Step {
  readonly isDeep: boolean
  /** A name of an object, a place in a list, or all of either. */
  readonly pick: string | number | typeof ALL
}

const ALL = Symbol('all')
const STEP = /(\.\.|\.)?(?:(\*)|([^.*[\]'"\s]+)|\[(?:(\*)|(-?\d{1,9})|'([^']*)'|"([^"]*)")\])/y
/** Values that one query looks at. Steps multiply, and the text is a client's. */
const MAX_VALUES = 100_000

/**
 * The values at `path` in parsed JSON: names and `*` behind dots, `[0]`, `[-1]`, `[*]` and `['name']`, `..` for all depths, such as
 * `a.b[*].c` or `..name`. `undefined` for a path of another form, and where too much would have to be looked at. Inherited names are not there.
 */
export function queryJsonPath(value: unknown, path: string): unknown[] | undefined {
  const steps = parse(path)
  if (!steps) return undefined
  const budget = { left: MAX_VALUES }
  let values = [value]
  for (const step of steps) {
    const found: unknown[] = []
    for (const one of step.isDeep ? withAllBelow(values, budget) : values) take(one, step.pick, found)
    budget.left -= found.length
    if (budget.left < 0) return undefined
    values = found
  }
  return values
}

function parse(path: string): Step[] | undefined {
  const steps: Step[] = []
  for (let at = 0; at < path.length; at = STEP.lastIndex) {
    STEP.lastIndex = at
    const match = STEP.exec(path)
    if (!match) return undefined
    const [, dots, star, name, allItems, index, single, double] = match
    const isBare = star !== undefined || name !== undefined
    if (isBare && dots === undefined && steps.length > 0) return undefined
    const pick = (star ?? allItems) ? ALL : index === undefined ? (name ?? single ?? double)! : Number(index)
    steps.push({ isDeep: dots === '..', pick })
  }
  return steps
}

function take(value: unknown, pick: Step['pick'], found: unknown[]): void {
  if (typeof value !== 'object' || value === null) return
  if (pick === ALL) {
    for (const inner of Object.values(value)) found.push(inner)
  } else if (typeof pick === 'number') {
    const item = Array.isArray(value) ? value.at(pick) : undefined
    if (item !== undefined) found.push(item)
  } else if (!Array.isArray(value) && Object.hasOwn(value, pick)) {
    found.push((value as Record<string, unknown>)[pick])
  }
}

/** Parents before what is in them, in the order of the text. Not recursive: the text says how deep it is. */
function withAllBelow(values: readonly unknown[], budget: { left: number }): unknown[] {
  const all: unknown[] = []
  const waiting = [...values].reverse()
  while (waiting.length > 0 && budget.left-- > 0) {
    const value = waiting.pop()
    all.push(value)
    if (typeof value !== 'object' || value === null) continue
    const inner: unknown[] = Object.values(value)
    for (let i = inner.length - 1; i >= 0; i--) waiting.push(inner[i])
  }
  return all
}
