import type { VariableSource } from '../../../src/plugin/api.ts'

/** What a log sends for one request: anything JSON can say. */
export type LogEntry = Record<string, unknown>

/** A compiled `log_format`. */
export interface LogFormat {
  /** Whether the variable stands somewhere in the format. */
  names(variable: string): boolean
  /** The fields for one request; those without a value are left out. Never throws. */
  render(source: VariableSource): LogEntry
}

/** The format itself is the first level. */
export const MAX_FORMAT_LEVELS = 5

/** Variables that are numbers in APISIX: those its nginx module reads as such (contract §7, LOG). */
const NUMERIC: ReadonlySet<string> = new Set([
  'apisix_upstream_response_time',
  'bytes_sent',
  'request_length',
  'request_time',
  'status',
  'upstream_connect_time',
  'upstream_header_time',
  'upstream_response_time',
])

type Read = (source: VariableSource) => unknown

/** Compiles a `log_format`. What stands deeper than {@link MAX_FORMAT_LEVELS} levels is left out. */
export function compileFormat(format: Readonly<Record<string, unknown>>): LogFormat {
  const variables = new Set<string>()
  const fields = compileFields(format, 1, variables)
  return {
    names: (variable) => variables.has(variable),
    render: (source) => renderFields(fields, source),
  }
}

type Fields = readonly (readonly [name: string, read: Read])[]

function compileFields(format: object, level: number, variables: Set<string>): Fields {
  return Object.entries(format).map(([name, value]) => [name, compileValue(value, level, variables)])
}

function compileValue(value: unknown, level: number, variables: Set<string>): Read {
  if (typeof value === 'string' && value.startsWith('$')) return compileVariable(value, variables)
  if (!isNested(value)) return () => value
  if (level === MAX_FORMAT_LEVELS) return () => undefined
  if (Array.isArray(value)) {
    const items = value.map((item) => compileValue(item, level + 1, variables))
    return (source) => items.map((read) => read(source))
  }
  const fields = compileFields(value, level + 1, variables)
  return (source) => renderFields(fields, source)
}

function compileVariable(text: string, variables: Set<string>): Read {
  const name = /^\$\{(.*)\}$/.exec(text)?.[1] ?? text.slice(1)
  variables.add(name)
  return NUMERIC.has(name) ? (source) => numberOf(source.var(name)) : (source) => source.var(name)
}

function numberOf(value: unknown): unknown {
  if (typeof value !== 'string' || value === '') return value
  const number = Number(value)
  return Number.isFinite(number) ? number : value
}

function renderFields(fields: Fields, source: VariableSource): LogEntry {
  const entry: LogEntry = {}
  for (const [name, read] of fields) {
    const value = read(source)
    if (value !== undefined) setField(entry, name, value)
  }
  return entry
}

/** Own property whatever its name: assigning to `__proto__` would change the object instead. */
export function setField(entry: LogEntry, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(entry, name, { value, enumerable: true, configurable: true, writable: true })
  } else {
    entry[name] = value
  }
}

function isNested(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
