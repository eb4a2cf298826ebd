import { type Matcher, RE2JS } from 're2js'
import { complement, intersect, type Ranges, toRanges } from './safe-pattern-ranges.ts'
import type { Anchor, PatternNode, Repeat } from './safe-pattern-tree.ts'

/** Thrown for a pattern that the linear engine cannot do; the message names the construct. */
export class NotLinearError extends Error {}

const ANCHORS: Readonly<Record<Anchor, string>> = {
  start: '\\A',
  end: '\\z',
  'line-start': '(?m:^)',
  'line-end': '(?m:$)',
  word: '\\b',
  'not-word': '\\B',
}
const MAX_REPEATS = 1000
/** Places that read a character when all counted repetitions are written out: each may cost time at every character. */
const MAX_PLACES = 5000
const SURROGATES = 0xd800
const PRIVATE = 0xe000
const SHIFT = PRIVATE - SURROGATES
const MOVED = /[\ud800-\ue7ff]/
const MOVED_ALL = /[\ud800-\ue7ff]/g
const PAIR = /[\ud800-\udbff][\udc00-\udfff]/

/**
 * The pattern in RE2's grammar, every set spelt out, so that nothing depends on what either engine calls a blank or a letter's
 * other case. With `captures` it is one whose captures are the same in both engines. Throws {@link NotLinearError}.
 */
export function toLinearSource(node: PatternNode, options: { captures: boolean; flags: string }): string {
  const { captures, flags } = options
  if (flags.includes('u') && flags.includes('i')) throw new NotLinearError('the options i and u together')
  return new Writer(captures, flags.includes('u')).write(node, 1)
}

class Writer {
  private readonly captures: boolean
  private readonly isUnicode: boolean
  private places = 0

  constructor(captures: boolean, isUnicode: boolean) {
    this.captures = captures
    this.isUnicode = isUnicode
  }

  write(node: PatternNode, repeats: number): string {
    switch (node.kind) {
      case 'set':
        if (node.construct !== undefined) throw new NotLinearError(node.construct)
        this.places += repeats
        if (this.places > MAX_PLACES) throw new NotLinearError(`more than ${MAX_PLACES} characters to read`)
        return writeSet(this.isUnicode ? node.ranges : swapped(node.ranges))
      case 'look':
      case 'reference':
        throw new NotLinearError(node.construct)
      case 'anchor':
        return this.writeAnchor(node.at)
      case 'sequence':
        return node.parts.map((part) => this.write(part, repeats)).join('')
      case 'choice':
        return `(?:${node.parts.map((part) => this.write(part, repeats)).join('|')})`
      case 'group':
        return `(${node.isCapture && this.captures ? '' : '?:'}${this.write(node.body, repeats)})`
      case 'repeat':
        return this.writeRepeat(node, repeats)
    }
  }

  private writeAnchor(at: Anchor): string {
    // Beside a pair of surrogates the engines do not agree.
    if (this.isUnicode && ANCHORS[at].toLowerCase() === '\\b')
      throw new NotLinearError('a word boundary and the option u')
    return ANCHORS[at]
  }

  private writeRepeat({ body, min, max, isLazy }: Repeat, outer: number): string {
    const repeats = outer * Math.max(1, max === Infinity ? min : max)
    if (repeats > MAX_REPEATS) throw new NotLinearError(`more than ${MAX_REPEATS} counted repetitions`)
    if (this.captures) checkCaptures(body, max)
    const sign = min === 0 && max === Infinity ? '*' : `{${min},${max === Infinity ? '' : max}}`
    return `(?:${this.write(body, repeats)})${sign}${isLazy ? '?' : ''}`
  }
}

/** ECMAScript alone forgets captures at each round and gives up rounds that read nothing. */
function checkCaptures(body: PatternNode, max: number): void {
  if (isNullable(body)) throw new NotLinearError('a repetition of what may be empty')
  if (max > 1 && mayLackCapture(body, false))
    throw new NotLinearError('a capture that takes part in some rounds only')
}

function isNullable(node: PatternNode): boolean {
  switch (node.kind) {
    case 'set':
      return false
    case 'sequence':
      return node.parts.every(isNullable)
    case 'choice':
      return node.parts.some(isNullable)
    case 'group':
      return isNullable(node.body)
    case 'repeat':
      return node.min === 0 || isNullable(node.body)
    default:
      return true
  }
}

function mayLackCapture(node: PatternNode, isOptional: boolean): boolean {
  switch (node.kind) {
    case 'sequence':
      return node.parts.some((part) => mayLackCapture(part, isOptional))
    case 'choice':
      return node.parts.some((part) => mayLackCapture(part, true))
    case 'group':
      return (isOptional && node.isCapture) || mayLackCapture(node.body, isOptional)
    case 'repeat':
      return mayLackCapture(node.body, isOptional || node.min === 0)
    default:
      return false
  }
}

function writeSet(ranges: Ranges): string {
  if (ranges.length === 0) return '[^\\x{0}-\\x{10ffff}]'
  let members = ''
  for (let i = 0; i < ranges.length; i += 2)
    members += `\\x{${ranges[i]!.toString(16)}}-\\x{${ranges[i + 1]!.toString(16)}}`
  return `[${members}]`
}

/**
 * V8 without `u` reads code units, RE2 code points. Halves of a pair change places with characters of the private use area, in
 * pattern and text alike, so that no half meets its other one.
 */
function swapped(ranges: Ranges): Ranges {
  const pairs: number[] = []
  const kept = complement(toRanges([...complement(ranges, 0xffff), SURROGATES, PRIVATE + SHIFT - 1]), 0xffff)
  for (const [first, by] of [
    [SURROGATES, SHIFT],
    [PRIVATE, -SHIFT],
  ] as const) {
    pairs.push(...intersect(ranges, [first, first + SHIFT - 1]).map((code) => code + by))
  }
  return toRanges([...kept, ...pairs])
}

/** `text` as the linear engine has to see it; `undefined` for private characters side by side that would become a pair. */
function toLinearText(text: string): string | undefined {
  if (!MOVED.test(text)) return text
  const moved = text.replace(MOVED_ALL, (unit) => {
    const code = unit.charCodeAt(0)
    return String.fromCharCode(code < PRIVATE ? code + SHIFT : code - SHIFT)
  })
  return PAIR.test(moved) ? undefined : moved
}

/** What takes the place of V8 where that would take too long: time in proportion to the text's length. */
export interface LinearPattern {
  /** `undefined` when the text cannot be searched. */
  test(text: string): boolean | undefined
  /** Finds matches one behind the other; `undefined` when the text cannot be searched. */
  finder(text: string): ((from: number) => RegExpExecArray | null) | undefined
}

/** Compiles what {@link toLinearSource} made. Throws when the engine refuses it. */
export function compileLinear(source: string, isUnicode: boolean): LinearPattern {
  const engine = RE2JS.compile(source)
  const read = isUnicode ? (text: string) => text : toLinearText
  return {
    test(text) {
      const seen = read(text)
      return seen === undefined ? undefined : engine.test(seen)
    },
    finder(text) {
      const seen = read(text)
      if (seen === undefined) return undefined
      const matcher = engine.matcher(seen)
      return (from) => (from <= text.length && matcher.find(from) ? toMatch(matcher, text) : null)
    },
  }
}

function toMatch(matcher: Matcher, text: string): RegExpExecArray {
  const captures: string[] = []
  for (let group = 0; group <= matcher.groupCount(); group++) {
    const start = matcher.start(group)
    // Typed as in RegExpExecArray, which does not tell of captures that took no part either.
    captures.push((start < 0 ? undefined : text.slice(start, matcher.end(group))) as string)
  }
  const [whole = '', ...others] = captures
  return Object.assign<[string, ...string[]], { index: number; input: string }>([whole, ...others], {
    index: matcher.start(0),
    input: text,
  })
}
