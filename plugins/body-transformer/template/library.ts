import { TemplateError } from './template-error.ts'
import { Callable, numberOf, Pairs, textOf, typeName, type Value } from './values.ts'

const XML_SIGNS: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&apos;',
  '"': '&quot;',
}

const HTML_SIGNS: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '/': '&#47;',
}

/** As lua-resty-template escapes for HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"'/]/g, (sign) => HTML_SIGNS[sign]!)
}

/** Parts of strings as Lua counts them: from 1, negative ones from the end. */
function sub(text: string, from: number, to: number): string {
  const { length } = text
  const start = Math.max(from < 0 ? length + from : from - 1, 0)
  const end = to < 0 ? length + to + 1 : to
  return end > start ? text.slice(start, end) : ''
}

const text = (args: readonly Value[], index = 0): string => {
  const value = args[index]
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  throw new TemplateError(`bad argument #${index + 1} (string expected, got ${typeName(value)})`)
}

const table = (value: Value): object => {
  if (typeof value === 'object' && value !== null && !(value instanceof Callable)) return value
  throw new TemplateError(`bad argument #1 (table expected, got ${typeName(value)})`)
}

/** Functions of a text, also as methods: `name:upper()`. */
export const STRING_FUNCTIONS: Readonly<Record<string, Callable>> = {
  upper: new Callable((args) => text(args).toUpperCase()),
  lower: new Callable((args) => text(args).toLowerCase()),
  len: new Callable((args) => text(args).length),
  reverse: new Callable((args) => [...text(args)].reverse().join('')),
  sub: new Callable((args) => sub(text(args), numberOf(args[1]), numberOf(args[2] ?? -1))),
}

/** What every template may use besides its values. */
export const LIBRARY: Readonly<Record<string, Value>> = {
  tostring: new Callable(([value]) => (value === undefined ? 'nil' : textOf(value))),
  tonumber: new Callable(([value]) => {
    const number = typeof value === 'string' ? (value.trim() === '' ? Number.NaN : Number(value)) : value
    return typeof number === 'number' && !Number.isNaN(number) ? number : undefined
  }),
  type: new Callable(([value]) => typeName(value)),
  ipairs: new Callable(([value]) => {
    const list = table(value)
    return new Pairs(Array.isArray(list) ? list.map((one, index) => [index + 1, one]) : [])
  }),
  pairs: new Callable(([value]) => {
    const of = table(value)
    return new Pairs(Array.isArray(of) ? of.map((one, index) => [index + 1, one]) : Object.entries(of))
  }),
  string: STRING_FUNCTIONS,
  math: {
    floor: new Callable(([value]) => Math.floor(numberOf(value))),
    ceil: new Callable(([value]) => Math.ceil(numberOf(value))),
    max: new Callable((args) => Math.max(...args.map((arg) => numberOf(arg)))),
    min: new Callable((args) => Math.min(...args.map((arg) => numberOf(arg)))),
  },
  table: {
    concat: new Callable(([list, between]) => Object.values(table(list)).map(textOf).join(textOf(between))),
  },
  _escape_json: new Callable(([value]) => JSON.stringify(value ?? null)),
  _escape_xml: new Callable((args) => textOf(args[0]).replace(/[&<>'"]/g, (sign) => XML_SIGNS[sign]!)),
}
