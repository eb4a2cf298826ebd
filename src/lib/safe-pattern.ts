import { longestWithin, searchCost } from './safe-pattern-cost.ts'
import { compileLinear, type LinearPattern, NotLinearError, toLinearSource } from './safe-pattern-linear.ts'
import { type PatternNode, parsePattern } from './safe-pattern-tree.ts'

/** Steps that V8 may take for one text: some milliseconds. */
const STEP_BUDGET = 1_000_000
/** The same for patterns that no other engine can do. */
const LONE_STEP_BUDGET = 8_000_000
/** A pattern that only V8 can do has to be possible for texts of this length. */
const MIN_LONE_LENGTH = 256
/** Steps for each character of a text with which V8 still beats the linear engine, however long the text is. */
const MAX_LINEAR_STEPS = 64
/** Finding all matches is one search each; all of them together are stopped after this long. */
const REPLACE_LIMIT_MS = 1000

/** A pattern that is refused: no engine can promise to finish with it. The message says why and what to do. */
export class UnsafePatternError extends Error {}

/** A text is too long for a pattern that only V8 can do. The message says so; nothing is known of whether it matches. */
export class PatternLimitError extends Error {}

/** What {@link createSafePattern} needs besides the pattern in JavaScript's grammar. */
export interface SafePatternOptions {
  /** What the user wrote, for messages. */
  readonly written: string
  /** Of `i`, `s`, `u` and `y`. */
  readonly flags: string
  /** Whether matches and captures are asked for, not only {@link SafePattern.test}. */
  readonly captures: boolean
}

/** A compiled pattern that never takes much longer than its text is long. Stateless for its users. */
export interface SafePattern {
  /** Whether the text has a match. Throws {@link PatternLimitError}. */
  test(text: string): boolean
  /** The first match with its captures and `index`; only of patterns made with `captures`. Throws {@link PatternLimitError}. */
  exec(text: string): RegExpExecArray | null
  /** `text` with its first match, or all of them, in the form that `fill` gives them. Throws {@link PatternLimitError}. */
  replace(text: string, fill: (match: RegExpExecArray) => string, scope: 'once' | 'global'): string
}

/**
 * Makes a pattern that runs on V8 for every text that V8 is sure to search within a fixed number of steps, and on a linear-time
 * engine for longer ones. Throws SyntaxError for no pattern and {@link UnsafePatternError} for one that can take too long and that
 * the linear engine cannot do.
 */
export function createSafePattern(source: string, options: SafePatternOptions): SafePattern {
  const backtracking = new RegExp(source, options.flags)
  const node = parsePattern(source, options.flags)
  const cost = searchCost(node)
  const limit = longestWithin(cost, STEP_BUDGET, MAX_LINEAR_STEPS)
  if (limit === Infinity) return new HybridPattern(backtracking, { limit, source: undefined, options })
  const linear = linearSource(node, options)
  if (typeof linear === 'string') return new HybridPattern(backtracking, { limit, source: linear, options })
  const loneLimit = longestWithin(cost, LONE_STEP_BUDGET, MAX_LINEAR_STEPS)
  if (loneLimit < MIN_LONE_LENGTH) throw refusal(options.written, loneLimit, linear.message)
  return new HybridPattern(backtracking, { limit: loneLimit, source: linear, options })
}

function linearSource(node: PatternNode, options: SafePatternOptions): string | NotLinearError {
  try {
    return toLinearSource(node, options)
  } catch (error) {
    if (error instanceof NotLinearError) return error
    throw error
  }
}

function refusal(written: string, limit: number, construct: string): UnsafePatternError {
  const time = limit === 0 ? 'exponential time' : `too long with texts of more than ${limit} characters`
  return new UnsafePatternError(
    `${JSON.stringify(written)} can take ${time}, and has ${construct}, which the engine for such patterns does not know; do without that, or let each loop go on in one way only`,
  )
}

interface Plan {
  /** The longest text for V8. */
  readonly limit: number
  /** For the linear engine, or why it cannot take part. */
  readonly source: string | NotLinearError | undefined
  readonly options: SafePatternOptions
}

class HybridPattern implements SafePattern {
  private readonly backtracking: RegExp
  private readonly isSticky: boolean
  private readonly limit: number
  private readonly source: Plan['source']
  private readonly options: SafePatternOptions
  private linear: LinearPattern | undefined
  private finder: RegExp | undefined

  constructor(backtracking: RegExp, plan: Plan) {
    this.backtracking = backtracking
    this.isSticky = backtracking.sticky
    this.limit = plan.limit
    this.source = plan.source
    this.options = plan.options
  }

  test(text: string): boolean {
    if (text.length <= this.limit && !this.isSticky) return this.backtracking.test(text)
    if (this.isSticky) return this.exec(text) !== null
    return this.engine(text).test(text) ?? this.giveUp(text)
  }

  exec(text: string): RegExpExecArray | null {
    return this.finderIn(text)(0)
  }

  replace(text: string, fill: (match: RegExpExecArray) => string, scope: 'once' | 'global'): string {
    const find = this.finderIn(text)
    const startMs = performance.now()
    let replaced = ''
    let end = 0
    for (let match = find(0); match !== null; ) {
      replaced += text.slice(end, match.index) + fill(match)
      end = match.index + match[0].length
      if (scope === 'once') break
      if (text.length > this.limit && performance.now() - startMs > REPLACE_LIMIT_MS) this.giveUp(text)
      match = find(match[0] === '' ? end + this.widthAt(text, end) : end)
    }
    return replaced + text.slice(end)
  }

  private finderIn(text: string): (from: number) => RegExpExecArray | null {
    if (text.length <= this.limit) return (from) => this.findFrom(text, from)
    const find = this.engine(text).finder(text) ?? this.giveUp(text)
    if (!this.isSticky) return find
    return (from) => {
      const match = find(from)
      return match?.index === from ? match : null
    }
  }

  private findFrom(text: string, from: number): RegExpExecArray | null {
    if (from === 0 && !this.isSticky) return this.backtracking.exec(text)
    this.finder ??= new RegExp(this.backtracking.source, `${this.backtracking.flags}g`)
    this.finder.lastIndex = from
    return this.finder.exec(text)
  }

  private engine(text: string): LinearPattern {
    if (typeof this.source !== 'string') return this.giveUp(text)
    this.linear ??= compileLinear(this.source, this.options.flags.includes('u'))
    return this.linear
  }

  private widthAt(text: string, at: number): number {
    return this.backtracking.unicode && (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1
  }

  private giveUp(text: string): never {
    const why = this.source instanceof NotLinearError ? ` because it has ${this.source.message}` : ''
    throw new PatternLimitError(
      `the pattern ${JSON.stringify(this.options.written)} cannot be searched for in ${text.length} characters${why}`,
    )
  }
}
