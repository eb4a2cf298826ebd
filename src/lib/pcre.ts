import { createSafePattern, type SafePattern } from './safe-pattern.ts'

const END = '(?![\\s\\S])'

/** PCRE escapes that JavaScript lacks or reads otherwise, outside a character class. */
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['A', '(?<![\\s\\S])'],
  ['z', END],
  ['Z', `(?=\\n?${END})`],
  ['h', '[\\t ]'],
  ['H', '[^\\t ]'],
  ['R', '(?:\\r\\n|[\\n\\v\\f\\r])'],
  ['a', '\\x07'],
  ['e', '\\x1b'],
])

/** With `(?m)`: PCRE ends lines at the line feed, JavaScript at three more characters. */
const LINE_ANCHORS: ReadonlyMap<string, string> = new Map([
  ['^', '(?<![^\\n])'],
  ['$', '(?![^\\n])'],
])
const NO_SIGNS: ReadonlyMap<string, string> = new Map()

const CLASS_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['h', '\\t '],
  ['a', '\\x07'],
  ['e', '\\x1b'],
])

/** POSIX names inside a character class. */
const POSIX: ReadonlyMap<string, string> = new Map([
  ['alnum', 'A-Za-z0-9'],
  ['alpha', 'A-Za-z'],
  ['blank', '\\t '],
  ['cntrl', '\\x00-\\x1f\\x7f'],
  ['digit', '0-9'],
  ['graph', '\\x21-\\x7e'],
  ['lower', 'a-z'],
  ['print', '\\x20-\\x7e'],
  ['punct', '!-\\/:-@\\[-`{-~'],
  ['space', '\\s'],
  ['upper', 'A-Z'],
  ['word', '\\w'],
  ['xdigit', 'A-Fa-f0-9'],
])

const INLINE_FLAGS = /^\(\?([ims]+)\)/
const QUOTED = /^\\Q([\s\S]*?)(?:\\E|$)/

/** How a pattern is meant, beside what stands in it. */
export interface PcreOptions {
  readonly ignoreCase?: boolean
  /** Characters in place of UTF-16 code units. */
  readonly unicode?: boolean
  /** Matches only where the search begins. */
  readonly sticky?: boolean
  /** Whether `exec` and `replace` will be used; some patterns are possible without only. */
  readonly captures?: boolean
}

/**
 * Compiles a PCRE pattern (what APISIX users write) for searching, `undefined` when it is no pattern or uses what JavaScript
 * cannot do (possessive and atomic groups, flags in mid-pattern, recursion). Leading `(?i)`, `(?s)`, `(?m)`, `\A \z \Z \h \R
 * \Q…\E`, POSIX classes and `(?P<name>…)` are translated; `.` excludes the line feed only. Throws {@link UnsafePatternError} for
 * a pattern that could hold up the process for any length of time.
 */
export function compilePcre(pattern: string, options: PcreOptions = {}): SafePattern | undefined {
  const inline = INLINE_FLAGS.exec(pattern)
  const modes = new Set(inline?.[1] ?? '')
  const body = pattern.slice(inline?.[0].length ?? 0)
  const flags = [
    options.ignoreCase === true || modes.has('i') ? 'i' : '',
    modes.has('s') ? 's' : '',
    options.unicode === true ? 'u' : '',
    options.sticky === true ? 'y' : '',
  ].join('')
  try {
    const source = translate(body, { dotMatchesAll: modes.has('s'), isMultiline: modes.has('m') })
    return createSafePattern(source, { written: pattern, flags, captures: options.captures === true })
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function translate(source: string, modes: { dotMatchesAll: boolean; isMultiline: boolean }): string {
  const signs = modes.isMultiline ? LINE_ANCHORS : NO_SIGNS
  let translated = ''
  let at = 0
  while (at < source.length) {
    const rest = source.slice(at, at + 2)
    const char = source[at]!
    if (rest === '\\Q') {
      const [whole, literal] = QUOTED.exec(source.slice(at))!
      translated += literal!.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
      at += whole.length
    } else if (char === '\\') {
      translated += ESCAPES.get(rest[1] ?? '') ?? rest
      at += 2
    } else if (char === '[') {
      const end = classEnd(source, at)
      translated += translateClass(source.slice(at + 1, end))
      at = end + 1
    } else {
      translated += char === '.' && !modes.dotMatchesAll ? '[^\\n]' : (signs.get(char) ?? char)
      at++
      if (char === '(' && source.startsWith('?P<', at)) {
        translated += '?'
        at += 2
      }
    }
  }
  return translated
}

/** Where the class that opens at `start` closes; a `]` in first place is a member. */
function classEnd(source: string, start: number): number {
  let at = start + 1
  if (source[at] === '^') at++
  if (source[at] === ']') at++
  while (at < source.length && source[at] !== ']') {
    if (source[at] === '\\') at++
    else if (source.startsWith('[:', at)) at = Math.max(at, source.indexOf(':]', at) + 1)
    at++
  }
  if (at >= source.length) throw new SyntaxError('missing ] of a character class')
  return at
}

function translateClass(members: string): string {
  const negation = members.startsWith('^') ? '^' : ''
  const body = members
    .slice(negation.length)
    .replace(/^\]/, '\\]')
    .replace(/\\([\s\S])|\[:(\w+):\]|\[/g, (found, escaped, name) => {
      if (escaped !== undefined) return CLASS_ESCAPES.get(escaped) ?? found
      if (name === undefined) return '\\['
      const expanded = POSIX.get(name)
      if (expanded === undefined) throw new SyntaxError(`unknown POSIX class ${name}`)
      return expanded
    })
  return `[${negation}${body}]`
}
