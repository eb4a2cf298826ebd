import {
  ConfigError,
  compileTemplate,
  type Headers,
  type Template,
  type VariableSource,
} from '../../../src/plugin/api.ts'
import { isHeaderName, isHeaderValue, toHeaderValue } from './value.ts'

type Scalar = string | number
type Values = Scalar | readonly Scalar[]

/** `{add, set, remove}`; `add` is a map of names to values, or lines such as `"Name: value"`. */
interface Operations {
  readonly add?: Readonly<Record<string, Values>> | readonly string[]
  readonly set?: Readonly<Record<string, Values>>
  readonly remove?: readonly string[]
}

/** The `headers` of a configuration: operations, or a flat map, which means `set`. */
export type HeadersConfig = Operations | Readonly<Record<string, Values>>

/** Applies the compiled changes to `headers`: first what is added, then set, then removed (contract §7.3). */
export type ChangeHeaders = (headers: Headers, source: VariableSource) => void

interface Line {
  readonly name: string
  readonly templates: readonly Template[]
}

/** Compiles header changes; values are templates, and one that comes to nothing is not sent. Run {@link checkHeaders} before. */
export function compileHeaders(config: HeadersConfig): ChangeHeaders {
  const { add, set, remove } = normalised(config)
  const added = add.map(compileLine)
  const assigned = set.map(compileLine)
  const removed = remove.map((name) => name.toLowerCase())
  return (headers, source) => {
    for (const { name, templates } of added) {
      for (const value of renderAll(templates, source)) headers.append(name, value)
    }
    for (const { name, templates } of assigned) {
      const values = renderAll(templates, source)
      if (values.length === 0) headers.remove(name.toLowerCase())
      else headers.set(name, values)
    }
    for (const name of removed) headers.remove(name)
  }
}

/** Throws {@link ConfigError} for a name or value that no header can have. */
export function checkHeaders(config: HeadersConfig): void {
  const { add, set, remove } = normalised(config)
  for (const name of remove) checkName(name)
  for (const [name, values] of [...add, ...set]) {
    checkName(name)
    if (!values.every(isHeaderValue)) throw new ConfigError('invalid value character in header')
  }
}

function checkName(name: string): void {
  if (name === '') throw new ConfigError('invalid field length in header')
  if (!isHeaderName(name)) throw new ConfigError('invalid field character in header')
}

type NamedValues = readonly [name: string, values: readonly string[]]

function normalised(config: HeadersConfig): {
  add: NamedValues[]
  set: NamedValues[]
  remove: readonly string[]
} {
  const operations: Operations = isOperations(config)
    ? config
    : { set: config as Readonly<Record<string, Values>> }
  const { add = {}, set = {}, remove = [] } = operations
  return {
    add: Array.isArray(add) ? add.map(splitLine) : entries(add as Readonly<Record<string, Values>>),
    set: entries(set),
    remove,
  }
}

/** A flat map has only scalars or lists of them; `add` and `set` with a map and `remove` with a list are operations. */
function isOperations(config: HeadersConfig): config is Operations {
  const fields = Object.entries(config)
  return fields.length > 0 && fields.every(([key, value]) => isOperation(key, value))
}

function isOperation(key: string, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return key === 'remove' ? Array.isArray(value) : key === 'add' || (key === 'set' && !Array.isArray(value))
}

function entries(map: Readonly<Record<string, Values>>): NamedValues[] {
  return Object.entries(map).map(([name, values]) => [
    name,
    (Array.isArray(values) ? values : [values]).map(String),
  ])
}

function splitLine(line: string): NamedValues {
  const colon = line.indexOf(':')
  return [line.slice(0, colon).trim(), [line.slice(colon + 1).trim()]]
}

function compileLine([name, values]: NamedValues): Line {
  // The configuration is text, a header is bytes: what is not ASCII goes out as UTF-8.
  const bytes = (value: string) => Buffer.from(value, 'utf8').toString('latin1')
  return { name, templates: values.map((value) => compileTemplate(bytes(value), toHeaderValue)) }
}

function renderAll(templates: readonly Template[], source: VariableSource): string[] {
  const values: string[] = []
  for (const template of templates) {
    const value = template.render(source).trim()
    if (value !== '') values.push(value)
  }
  return values
}
