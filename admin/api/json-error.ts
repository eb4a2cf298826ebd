type Token =
  | 'T_OBJ_BEGIN'
  | 'T_OBJ_END'
  | 'T_ARR_BEGIN'
  | 'T_ARR_END'
  | 'T_STRING'
  | 'T_NUMBER'
  | 'T_BOOLEAN'
  | 'T_NULL'
  | 'T_COLON'
  | 'T_COMMA'
  | 'T_END'

const PUNCTUATION: ReadonlyMap<string, Token> = new Map([
  ['{', 'T_OBJ_BEGIN'],
  ['}', 'T_OBJ_END'],
  ['[', 'T_ARR_BEGIN'],
  [']', 'T_ARR_END'],
  [':', 'T_COLON'],
  [',', 'T_COMMA'],
])

const WORDS: ReadonlyMap<string, Token> = new Map([
  ['true', 'T_BOOLEAN'],
  ['false', 'T_BOOLEAN'],
  ['null', 'T_NULL'],
])

/** What the reader waits for, with the words for it. */
const EXPECTED = {
  value: 'value',
  firstItem: 'value',
  firstKey: 'object key string',
  key: 'object key string',
  colon: 'colon',
  afterMember: 'comma or object end',
  afterItem: 'comma or array end',
  end: 'the end',
} as const

type State = keyof typeof EXPECTED

interface Scanned {
  readonly token: Token | undefined
  /** What is wrong when there is no token. */
  readonly fault: string
  /** Where the token or its fault is, and where the next one starts. */
  readonly at: number
  readonly end: number
}

/** Why a text is no JSON, in the words of the parser that APISIX uses: clients know them (contract §1.1). */
export function describeJsonError(text: string): string {
  const open: State[] = []
  let state: State = 'value'
  let position = 0
  for (;;) {
    const { token, fault, at, end } = scan(text, position)
    const next: State | undefined = token && step(state, token, open)
    if (next === undefined)
      return `Expected ${EXPECTED[state]} but found ${token ?? fault} at character ${at + 1}`
    if (token === 'T_END') return 'not valid JSON'
    state = next
    position = end
  }
}

/** The state after a token, `undefined` when it does not fit. `open` holds what follows each open container's current value. */
function step(state: State, token: Token, open: State[]): State | undefined {
  switch (state) {
    case 'value':
    case 'firstItem':
      return state === 'firstItem' && token === 'T_ARR_END' ? close(open) : startValue(token, open)
    case 'firstKey':
    case 'key':
      if (state === 'firstKey' && token === 'T_OBJ_END') return close(open)
      return token === 'T_STRING' ? 'colon' : undefined
    case 'colon':
      return token === 'T_COLON' ? 'value' : undefined
    case 'afterMember':
      if (token === 'T_OBJ_END') return close(open)
      return token === 'T_COMMA' ? 'key' : undefined
    case 'afterItem':
      if (token === 'T_ARR_END') return close(open)
      return token === 'T_COMMA' ? 'value' : undefined
    case 'end':
      return token === 'T_END' ? 'end' : undefined
  }
}

function startValue(token: Token, open: State[]): State | undefined {
  if (token === 'T_OBJ_BEGIN') {
    open.push('afterMember')
    return 'firstKey'
  }
  if (token === 'T_ARR_BEGIN') {
    open.push('afterItem')
    return 'firstItem'
  }
  const isScalar = token === 'T_STRING' || token === 'T_NUMBER' || token === 'T_BOOLEAN' || token === 'T_NULL'
  return isScalar ? (open.at(-1) ?? 'end') : undefined
}

function close(open: State[]): State {
  open.pop()
  return open.at(-1) ?? 'end'
}

function scan(text: string, from: number): Scanned {
  const at = from + match(/[ \t\n\r]*/y, text, from).length
  const char = text[at]
  if (char === undefined) return { token: 'T_END', fault: '', at, end: at }
  const punctuation = PUNCTUATION.get(char)
  if (punctuation) return { token: punctuation, fault: '', at, end: at + 1 }
  if (char === '"') return scanString(text, at)
  if (char === '-' || (char >= '0' && char <= '9')) {
    const number = match(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\d.eExX])/y, text, at)
    return {
      token: number === '' ? undefined : 'T_NUMBER',
      fault: 'invalid number',
      at,
      end: at + number.length,
    }
  }
  const word = match(/[a-z]+/y, text, at)
  return { token: WORDS.get(word), fault: 'invalid token', at, end: at + word.length }
}

function scanString(text: string, at: number): Scanned {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: raw control characters are what JSON forbids in a string
  const body = match(/(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*/y, text, at + 1)
  const end = at + 1 + body.length
  const char = text[end]
  if (char === '"') return { token: 'T_STRING', fault: '', at, end: end + 1 }
  if (char === undefined) return { token: undefined, fault: 'unexpected end of string', at: end, end }
  const badEscape = text[end + 1] === 'u' ? 'invalid unicode escape code' : 'invalid escape code'
  return { token: undefined, fault: char === '\\' ? badEscape : 'invalid token', at: end, end }
}

function match(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0] ?? ''
}
