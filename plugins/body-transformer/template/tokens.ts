import { TemplateError } from './template-error.ts'

export type Token =
  | { readonly type: 'name' | 'keyword' | 'sign'; readonly text: string }
  | { readonly type: 'number'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }

const KEYWORDS: ReadonlySet<string> = new Set([
  ...['and', 'or', 'not', 'nil', 'true', 'false', 'for', 'in', 'do', 'if', 'then', 'elseif', 'else', 'end'],
  ...['local', 'function', 'return', 'while', 'repeat', 'until', 'break', 'goto'],
])

const NUMBER = /0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y
const NAME = /[A-Za-z_]\w*/y
const SIGN = /\.\.|==|~=|<=|>=|[+\-*/%#<>=(){}[\],.:]/y
const LONG_STRING = /\[\[\n?([\s\S]*?)\]\]/y
const BLANK = /(?:\s|--[^\n]*)+/y

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
}

/** Reads Lua's tokens. Throws {@link TemplateError}. */
export function tokenize(code: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const match = pattern.exec(code)
    if (match) at += match[0].length
    return match
  }
  for (take(BLANK); at < code.length; take(BLANK)) {
    const quote = code[at]!
    const long = take(LONG_STRING)
    if (long) tokens.push({ type: 'string', value: long[1]! })
    else if (quote === '"' || quote === "'") {
      const read = readString(code, at)
      tokens.push({ type: 'string', value: read.value })
      at = read.end
    } else tokens.push(plainToken(take) ?? unreadable(code, at))
  }
  return tokens
}

function plainToken(take: (pattern: RegExp) => RegExpExecArray | null): Token | undefined {
  const number = take(NUMBER)
  if (number) return { type: 'number', value: Number(number[0]) }
  const [name] = take(NAME) ?? []
  if (name !== undefined) return { type: KEYWORDS.has(name) ? 'keyword' : 'name', text: name }
  const [sign] = take(SIGN) ?? []
  return sign === undefined ? undefined : { type: 'sign', text: sign }
}

function unreadable(code: string, at: number): never {
  throw new TemplateError(`unexpected symbol near '${code.slice(at, at + 10)}'`)
}

function readString(code: string, start: number): { value: string; end: number } {
  const quote = code[start]
  let value = ''
  for (let at = start + 1; at < code.length; at++) {
    const sign = code[at]!
    if (sign === quote) return { value, end: at + 1 }
    if (sign === '\n') break
    if (sign !== '\\') {
      value += sign
      continue
    }
    const digits = /^\d{1,3}/.exec(code.slice(at + 1, at + 4))?.[0]
    value +=
      digits === undefined
        ? (ESCAPES[code[at + 1]!] ?? code[at + 1] ?? '')
        : String.fromCharCode(Number(digits))
    at += digits?.length ?? 1
  }
  throw new TemplateError(`unfinished string near '${code.slice(start, start + 10)}'`)
}
