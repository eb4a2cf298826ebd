import { complement, ignoringCase, intersect, type Ranges, toRanges } from './safe-pattern-ranges.ts'

/** Where an anchor holds: ends of the text, of a line (line feeds only), at a word's edge, away from one. */
export type Anchor = 'start' | 'end' | 'line-start' | 'line-end' | 'word' | 'not-word'

/** A pattern taken apart. `construct` is what a user calls a thing that only a backtracking engine can do. */
export type PatternNode =
  | { readonly kind: 'set'; readonly ranges: Ranges; readonly construct?: string }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly PatternNode[] }
  | Repeat
  | { readonly kind: 'group'; readonly body: PatternNode; readonly isCapture: boolean }
  | { readonly kind: 'anchor'; readonly at: Anchor }
  | { readonly kind: 'look'; readonly body: PatternNode; readonly construct: string }
  | { readonly kind: 'reference'; readonly construct: string }

/** `max` is Infinity where there is none. */
export interface Repeat {
  readonly kind: 'repeat'
  readonly body: PatternNode
  readonly min: number
  readonly max: number
  readonly isLazy: boolean
}

const MAX_DEPTH = 100
const DIGITS: Ranges = [0x30, 0x39]
const WORD: Ranges = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a]
const SPACE = toRanges(
  [0x09, 0x0d, 0x20, 0x20, 0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200a, 0x2028, 0x2029].concat([
    0x202f, 0x202f, 0x205f, 0x205f, 0x3000, 0x3000, 0xfeff, 0xfeff,
  ]),
)
const CLASSES: ReadonlyMap<string, Ranges> = new Map([
  ['d', DIGITS],
  ['w', WORD],
  ['s', SPACE],
])
const CONTROLS: ReadonlyMap<string, number> = new Map([
  ['t', 9],
  ['n', 10],
  ['v', 11],
  ['f', 12],
  ['r', 13],
])
const LOOKS: ReadonlyMap<string, string> = new Map([
  ['(?=', 'a lookahead'],
  ['(?!', 'a lookahead'],
  ['(?<=', 'a lookbehind'],
  ['(?<!', 'a lookbehind'],
])
/** How `compilePcre` spells anchors that JavaScript has no sign for. */
const SPELT_ANCHORS: readonly [spelling: string, at: Anchor][] = [
  ['(?<![\\s\\S])', 'start'],
  ['(?![\\s\\S])', 'end'],
  ['(?<![^\\n])', 'line-start'],
  ['(?![^\\n])', 'line-end'],
]
const QUANTIFIER = /(?:[*+?]|\{(\d+)(,(\d*))?\})(\??)/y
const OPENING = /\((?:\?(?:[:=!]|<[=!]|<[^>]+>))?/y
const HEX = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4}))/y
const BRACED = /\\u\{([\da-fA-F]+)\}/y
const PROPERTY = /\\[pP]\{[^}]*\}/y
const REFERENCE = /\\(?:[1-9]\d*|k<[^>]*>)/y

/**
 * Takes apart what V8 has already accepted as a pattern with these flags (of which `i`, `s` and `u` count; there is no `m`).
 * Throws SyntaxError for what is too deep or not known here: octal escapes, flags in mid-pattern.
 */
export function parsePattern(source: string, flags: string): PatternNode {
  return new Parser(source, flags).parse()
}

class Parser {
  private readonly source: string
  private readonly flags: string
  private readonly isUnicode: boolean
  private readonly max: number
  private at = 0
  private depth = 0

  constructor(source: string, flags: string) {
    this.source = source
    this.flags = flags
    this.isUnicode = flags.includes('u')
    this.max = this.isUnicode ? 0x10ffff : 0xffff
  }

  parse(): PatternNode {
    const node = this.choice()
    if (this.at < this.source.length) throw new SyntaxError(`unexpected ${this.source[this.at]}`)
    return node
  }

  private choice(): PatternNode {
    if (++this.depth > MAX_DEPTH) throw new SyntaxError(`groups nested deeper than ${MAX_DEPTH}`)
    const parts = [this.sequence()]
    while (this.eat('|')) parts.push(this.sequence())
    this.depth--
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts }
  }

  private sequence(): PatternNode {
    const parts: PatternNode[] = []
    while (this.at < this.source.length && !'|)'.includes(this.source[this.at]!)) parts.push(this.term())
    return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts }
  }

  private term(): PatternNode {
    const body = this.atom()
    const found = this.take(QUANTIFIER)
    if (!found) return body
    const [sign, from, comma, to, lazy] = found
    const isLazy = lazy === '?'
    if (from === undefined) {
      return {
        kind: 'repeat',
        body,
        min: sign[0] === '+' ? 1 : 0,
        max: sign[0] === '?' ? 1 : Infinity,
        isLazy,
      }
    }
    const min = Number(from)
    const max = comma === undefined ? min : to === '' ? Infinity : Number(to)
    return { kind: 'repeat', body, min, max, isLazy }
  }

  private atom(): PatternNode {
    for (const [spelling, at] of SPELT_ANCHORS) if (this.eat(spelling)) return { kind: 'anchor', at }
    const char = this.source[this.at]!
    if (char === '(') return this.group()
    if (char === '\\') return this.escape()
    if (char === '[') return this.characterClass()
    if (this.eat('^')) return { kind: 'anchor', at: 'start' }
    if (this.eat('$')) return { kind: 'anchor', at: 'end' }
    if (this.eat('.'))
      return this.set(
        this.flags.includes('s') ? [0, this.max] : this.negated([10, 10, 13, 13, 0x2028, 0x2029]),
      )
    return this.set(this.single(this.character()))
  }

  private group(): PatternNode {
    const opening = this.take(OPENING)![0]
    if (opening === '(' && this.source[this.at] === '?') throw new SyntaxError('flags inside the pattern')
    const body = this.choice()
    if (!this.eat(')')) throw new SyntaxError('missing )')
    const construct = LOOKS.get(opening)
    return construct === undefined
      ? { kind: 'group', body, isCapture: opening !== '(?:' }
      : { kind: 'look', body, construct }
  }

  private escape(): PatternNode {
    if (this.eat('\\b')) return { kind: 'anchor', at: 'word' }
    if (this.eat('\\B')) return { kind: 'anchor', at: 'not-word' }
    if (this.take(REFERENCE)) return { kind: 'reference', construct: 'a back-reference' }
    if (this.isUnicode && this.take(PROPERTY)) {
      return { kind: 'set', ranges: [0, this.max], construct: 'a Unicode property' }
    }
    return this.set(this.shorthand() ?? this.single(this.character()))
  }

  private characterClass(): PatternNode {
    this.at++
    const isNegated = this.eat('^')
    const pairs: number[] = []
    let construct: string | undefined
    while (!this.eat(']')) {
      if (this.isUnicode && this.take(PROPERTY)) construct = 'a Unicode property'
      else pairs.push(...this.members())
    }
    if (construct !== undefined) return { kind: 'set', ranges: [0, this.max], construct }
    const members = this.folded(toRanges(pairs))
    return { kind: 'set', ranges: isNegated ? complement(members, this.max) : members }
  }

  /** A member of a class, or a run of them. */
  private members(): Ranges {
    const whole = this.shorthand()
    if (whole) return whole
    const first = this.eat('\\b') ? 8 : this.character()
    if (this.source[this.at] !== '-' || this.source[this.at + 1] === ']') return this.single(first)
    const dash = this.at++
    if (/\\[dwsDWS]/y.test(this.source.slice(this.at, this.at + 2))) {
      this.at = dash
      return this.single(first)
    }
    return [first, this.eat('\\b') ? 8 : this.character()]
  }

  private shorthand(): Ranges | undefined {
    if (this.source[this.at] !== '\\') return undefined
    const letter = this.source[this.at + 1] ?? ''
    const ranges = CLASSES.get(letter.toLowerCase())
    if (!ranges) return undefined
    this.at += 2
    return letter === letter.toLowerCase() ? ranges : this.negated(ranges)
  }

  /** One character, as code unit or with `u` as code point. */
  private character(): number {
    if (this.source[this.at] !== '\\') return this.step()
    const hex = this.take(HEX) ?? (this.isUnicode ? this.take(BRACED) : null)
    if (hex) return Number.parseInt(hex[1] ?? hex[2]!, 16)
    this.at++
    const letter = this.source[this.at] ?? ''
    if (letter === 'c' || (/\d/.test(letter) && !/^0(?!\d)/.test(this.source.slice(this.at, this.at + 2)))) {
      throw new SyntaxError(`the escape \\${letter} is not available`)
    }
    const plain = this.step()
    return letter === '0' ? 0 : (CONTROLS.get(letter) ?? plain)
  }

  private step(): number {
    const code = this.isUnicode ? this.source.codePointAt(this.at)! : this.source.charCodeAt(this.at)
    this.at += code > 0xffff ? 2 : 1
    return code
  }

  private set(ranges: Ranges): PatternNode {
    return { kind: 'set', ranges: this.folded(ranges) }
  }

  /** With `u` other rules hold; such patterns stay with V8, and their sets serve for estimates only. */
  private folded(ranges: Ranges): Ranges {
    return this.flags.includes('i')
      ? toRanges([...ignoringCase(intersect(ranges, [0, 0xffff])), ...ranges])
      : ranges
  }

  private negated(ranges: Ranges): Ranges {
    return complement(toRanges(ranges), this.max)
  }

  private single(code: number): Ranges {
    return [code, code]
  }

  private eat(text: string): boolean {
    if (!this.source.startsWith(text, this.at)) return false
    this.at += text.length
    return true
  }

  private take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.source)
    if (found) this.at = pattern.lastIndex
    return found
  }
}
