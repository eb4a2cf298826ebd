import { escapeHtml, LIBRARY, STRING_FUNCTIONS } from './library.ts'
import { parseTemplate } from './parse.ts'
import type { Expression, Part } from './syntax.ts'
import { TemplateError } from './template-error.ts'
import { Callable, indexed, isTrue, numberOf, Pairs, textOf, typeName, type Value } from './values.ts'

/** Steps and characters that one rendering may take; a loop in a template must not hold the process. */
const MAX_STEPS = 200_000
const MAX_CHARACTERS = 64 * 1024 * 1024
/** Of a text that a template puts together for itself. */
const MAX_TEXT = 1024 * 1024

/** Finds a value by name; `undefined` where there is none. */
export type Values = (name: string) => Value

export interface Template {
  /** Throws {@link TemplateError} when a value is not what the template takes it for, and when it never ends. */
  render(values: Values): string
}

/** Compiles a template. Throws {@link TemplateError}. */
export function compileTemplate(text: string): Template {
  const parts = parseTemplate(text)
  return {
    render(values) {
      const rendering = new Rendering(values)
      rendering.run(parts)
      return rendering.text
    },
  }
}

class Rendering {
  text = ''
  readonly #values: Values
  #locals: ReadonlyMap<string, Value>[] = []
  #steps = 0

  constructor(values: Values) {
    this.#values = values
  }

  run(parts: readonly Part[]): void {
    const locals = new Map<string, Value>()
    this.#locals.push(locals)
    for (const part of parts) this.#do(part, locals)
    this.#locals.pop()
  }

  #do(part: Part, locals: Map<string, Value>): void {
    this.#step()
    if (part.type === 'text') this.#write(part.text)
    else if (part.type === 'output') {
      const text = textOf(this.#value(part.value))
      this.#write(part.isEscaped ? escapeHtml(text) : text)
    } else if (part.type === 'set') {
      const holder = part.isLocal ? locals : (this.#holderOf(part.name) ?? this.#outermost())
      holder.set(part.name, this.#value(part.value))
    } else if (part.type === 'if') {
      const branch = part.branches.find(({ when }) => when === undefined || isTrue(this.#value(when)))
      if (branch) this.run(branch.body)
    } else if (part.type === 'count') this.#count(part)
    else this.#each(part)
  }

  #count({ name, from, to, step, body }: Extract<Part, { type: 'count' }>): void {
    const [start, end] = [numberOf(this.#value(from)), numberOf(this.#value(to))]
    const by = step ? numberOf(this.#value(step)) : 1
    if (by === 0) throw new TemplateError("'for' step is zero")
    for (let value = start; by > 0 ? value <= end : value >= end; value += by)
      this.#with([[name, value]], body)
  }

  #each({ names, of, body }: Extract<Part, { type: 'each' }>): void {
    const pairs = this.#value(of)
    if (!(pairs instanceof Pairs)) throw new TemplateError('a loop wants pairs(…) or ipairs(…)')
    const [key, value] = names
    for (const [k, v] of pairs.entries) {
      this.#with(
        value === undefined
          ? [[key!, k]]
          : [
              [key!, k],
              [value, v],
            ],
        body,
      )
    }
  }

  #with(values: readonly (readonly [string, Value])[], body: readonly Part[]): void {
    this.#step()
    this.#locals.push(new Map(values))
    this.run(body)
    this.#locals.pop()
  }

  #holderOf(name: string): Map<string, Value> | undefined {
    return this.#locals.findLast((locals) => locals.has(name)) as Map<string, Value> | undefined
  }

  #outermost(): Map<string, Value> {
    return this.#locals[0] as Map<string, Value>
  }

  #value(expression: Expression): Value {
    this.#step()
    switch (expression.type) {
      case 'constant':
        return expression.value
      case 'name':
        return this.#named(expression.name)
      case 'index':
        return indexed(this.#value(expression.of), this.#value(expression.key))
      case 'call':
        return called(this.#value(expression.callee), this.#all(expression.args))
      case 'method':
        return this.#method(expression)
      case 'unary':
        return unary(expression.sign, this.#value(expression.of))
      case 'binary':
        return this.#binary(expression)
    }
  }

  #named(name: string): Value {
    const holder = this.#holderOf(name)
    if (holder) return holder.get(name)
    const value = this.#values(name)
    if (value !== undefined) return value
    return Object.hasOwn(LIBRARY, name) ? LIBRARY[name] : undefined
  }

  #method({ of, name, args }: Extract<Expression, { type: 'method' }>): Value {
    const self = this.#value(of)
    const method = Object.hasOwn(STRING_FUNCTIONS, name) ? STRING_FUNCTIONS[name] : undefined
    if (typeof self !== 'string' || !method)
      throw new TemplateError(`attempt to call method '${name}' (a nil value)`)
    return method.call([self, ...this.#all(args)])
  }

  #all(expressions: readonly Expression[]): Value[] {
    return expressions.map((one) => this.#value(one))
  }

  #binary({ sign, left, right }: Extract<Expression, { type: 'binary' }>): Value {
    const first = this.#value(left)
    if (sign === 'and') return isTrue(first) ? this.#value(right) : first
    if (sign === 'or') return isTrue(first) ? first : this.#value(right)
    return BINARY[sign]!(first, this.#value(right))
  }

  #write(text: string): void {
    if (this.text.length + text.length > MAX_CHARACTERS) throw new TemplateError('the result is too long')
    this.text += text
  }

  #step(): void {
    if (++this.#steps > MAX_STEPS) throw new TemplateError(`it takes more than ${MAX_STEPS} steps`)
  }
}

function called(callee: Value, args: readonly Value[]): Value {
  if (callee instanceof Callable) return callee.call(args)
  throw new TemplateError(`attempt to call a ${typeName(callee)} value`)
}

function unary(sign: string, value: Value): Value {
  if (sign === 'not') return !isTrue(value)
  if (sign === '-') return -numberOf(value)
  if (typeof value === 'string' || Array.isArray(value)) return value.length
  if (typeName(value) === 'table') return 0
  throw new TemplateError(`attempt to get length of a ${typeName(value)} value`)
}

type Compare = (left: string | number, right: string | number) => boolean

function comparing(compare: Compare): (left: Value, right: Value) => boolean {
  return (left, right) => {
    const isAlike = typeof left === typeof right && (typeof left === 'number' || typeof left === 'string')
    if (isAlike) return compare(left as number, right as number)
    throw new TemplateError(`attempt to compare ${typeName(left)} with ${typeName(right)}`)
  }
}

const BINARY: Readonly<Record<string, (left: Value, right: Value) => Value>> = {
  '==': (left, right) => left === right,
  '~=': (left, right) => left !== right,
  '<': comparing((left, right) => left < right),
  '>': comparing((left, right) => left > right),
  '<=': comparing((left, right) => left <= right),
  '>=': comparing((left, right) => left >= right),
  '+': (left, right) => numberOf(left) + numberOf(right),
  '-': (left, right) => numberOf(left) - numberOf(right),
  '*': (left, right) => numberOf(left) * numberOf(right),
  '/': (left, right) => numberOf(left) / numberOf(right),
  '%': (left, right) => {
    const by = numberOf(right)
    return numberOf(left) - Math.floor(numberOf(left) / by) * by
  },
  '..': (left, right) => {
    for (const one of [left, right]) {
      if (typeof one === 'string' || typeof one === 'number') continue
      throw new TemplateError(`attempt to concatenate a ${typeName(one)} value`)
    }
    const text = `${left}${right}`
    if (text.length > MAX_TEXT) throw new TemplateError('a text is too long')
    return text
  },
}
