import type { Expression } from './syntax.ts'
import { TemplateError } from './template-error.ts'
import type { Token } from './tokens.ts'

/** Binding powers of Lua's operators; `..` binds to the right. */
const POWERS: Readonly<Record<string, number>> = {
  or: 1,
  and: 2,
  '<': 3,
  '>': 3,
  '<=': 3,
  '>=': 3,
  '~=': 3,
  '==': 3,
  '..': 4,
  '+': 5,
  '-': 5,
  '*': 6,
  '/': 6,
  '%': 6,
}
const UNARY_POWER = 7
const MAX_DEPTH = 100

/** Tokens of one tag, read from the left. */
export class TokenReader {
  readonly #tokens: readonly Token[]
  #at = 0
  #depth = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#tokens.length
  }

  /** Takes the next token when it is this word or sign. */
  take(text: string): boolean {
    const token = this.#tokens[this.#at]
    if (!token || !('text' in token) || token.text !== text) return false
    this.#at++
    return true
  }

  expect(text: string): void {
    if (!this.take(text)) throw this.#unexpected(`'${text}' expected`)
  }

  name(): string {
    const token = this.#tokens[this.#at++]
    if (token?.type === 'name') return token.text
    this.#at--
    throw this.#unexpected('a name expected')
  }

  expectEnd(): void {
    if (!this.isAtEnd) throw this.#unexpected('unexpected symbol')
  }

  expression(power = 0): Expression {
    if (++this.#depth > MAX_DEPTH) throw new TemplateError('an expression is nested too deeply')
    let left = this.#unary()
    for (let sign = this.#operator(power); sign !== undefined; sign = this.#operator(power)) {
      const own = POWERS[sign]!
      left = { type: 'binary', sign, left, right: this.expression(sign === '..' ? own - 1 : own) }
    }
    this.#depth--
    return left
  }

  #operator(power: number): string | undefined {
    const token = this.#tokens[this.#at]
    if (!token || !('text' in token) || (POWERS[token.text] ?? 0) <= power) return undefined
    this.#at++
    return token.text
  }

  #unary(): Expression {
    for (const sign of ['not', '-', '#']) {
      if (this.take(sign)) return { type: 'unary', sign, of: this.expression(UNARY_POWER) }
    }
    return this.#suffixed(this.#primary())
  }

  #primary(): Expression {
    if (this.take('(')) {
      const inner = this.expression()
      this.expect(')')
      return inner
    }
    for (const [word, value] of CONSTANTS) if (this.take(word)) return { type: 'constant', value }
    const token = this.#tokens[this.#at]
    if (token?.type === 'number' || token?.type === 'string') {
      this.#at++
      return { type: 'constant', value: token.value }
    }
    return { type: 'name', name: this.name() }
  }

  #suffixed(of: Expression): Expression {
    let value = of
    for (;;) {
      if (this.take('.')) value = { type: 'index', of: value, key: { type: 'constant', value: this.name() } }
      else if (this.take('[')) {
        value = { type: 'index', of: value, key: this.expression() }
        this.expect(']')
      } else if (this.take('(')) value = { type: 'call', callee: value, args: this.#args() }
      else if (this.take(':')) {
        const name = this.name()
        this.expect('(')
        value = { type: 'method', of: value, name, args: this.#args() }
      } else return value
    }
  }

  #args(): Expression[] {
    const args: Expression[] = []
    if (this.take(')')) return args
    do args.push(this.expression())
    while (this.take(','))
    this.expect(')')
    return args
  }

  #unexpected(message: string): TemplateError {
    const token = this.#tokens[this.#at]
    const near = token === undefined ? 'the end' : `'${'text' in token ? token.text : token.value}'`
    return new TemplateError(`${message} near ${near}`)
  }
}

const CONSTANTS: readonly (readonly [string, boolean | undefined])[] = [
  ['nil', undefined],
  ['true', true],
  ['false', false],
]
