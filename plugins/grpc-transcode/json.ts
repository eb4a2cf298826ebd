import type { MessageType } from './call.ts'

type Value = unknown

/** How values look in JSON, as `pb_option` says. */
export interface JsonForm {
  readonly enumsAsNames: boolean
  readonly longs: 'number' | 'string' | 'hexstring'
  readonly hasDefaults: boolean
}

export function jsonForm(options: readonly string[]): JsonForm {
  return {
    enumsAsNames: !options.includes('enum_as_value'),
    longs: options.includes('int64_as_hexstring')
      ? 'hexstring'
      : options.includes('int64_as_string')
        ? 'string'
        : 'number',
    hasDefaults: !options.includes('no_default_values'),
  }
}

/** A message as bytes. Values may be written as JSON has them: enums by name or number, 64-bit integers as texts, bytes in base64. */
export function encodeMessage(type: MessageType, value: Readonly<Record<string, unknown>>): Uint8Array {
  return type.encode(type.fromObject(value)).finish()
}

export function decodeMessage(type: MessageType, bytes: Uint8Array, form: JsonForm): object {
  const plain = type.toObject(type.decode(bytes), {
    bytes: String,
    json: true,
    longs: String,
    defaults: form.hasDefaults,
    arrays: form.hasDefaults,
    objects: form.hasDefaults,
    oneofs: false,
    ...(form.enumsAsNames && { enums: String }),
  })
  return form.longs === 'string' ? plain : (withLongs(type, plain, form.longs) as object)
}

/** A field's type as the library tells it. */
interface Field {
  readonly name: string
  readonly type: string
  readonly resolvedType: unknown
}

const LONGS: ReadonlySet<string> = new Set(['int64', 'uint64', 'sint64', 'fixed64', 'sfixed64'])

/** 64-bit integers, texts until now, as numbers where a number holds them exactly, or in hex. */
function withLongs(type: MessageType, value: Record<string, Value>, longs: JsonForm['longs']): Value {
  for (const field of type.fieldsArray as readonly Field[]) {
    const held = value[field.name]
    if (held === undefined || held === null) continue
    if (LONGS.has(field.type)) value[field.name] = each(held, (text) => asLong(String(text), longs))
    else if (isMessage(field.resolvedType)) {
      const inner = field.resolvedType
      value[field.name] = each(
        held,
        (one) => withLongs(inner, one as Record<string, Value>, longs),
        isMap(field),
      )
    }
  }
  return value
}

/** Of a list, of a map's values, or of the one value. */
function each(held: Value, change: (one: Value) => Value, hasKeys = typeof held === 'object'): Value {
  if (Array.isArray(held)) return held.map(change)
  if (!hasKeys) return change(held)
  return Object.fromEntries(Object.entries(held as object).map(([key, one]) => [key, change(one)]))
}

function isMap(field: Field): boolean {
  return 'keyType' in field
}

function isMessage(type: unknown): type is MessageType {
  return typeof type === 'object' && type !== null && 'fieldsArray' in type
}

function asLong(text: string, longs: JsonForm['longs']): Value {
  if (longs === 'hexstring') return hex(BigInt(text))
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : text
}

function hex(value: bigint): string {
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`
}
