import { ConfigError } from '../../src/plugin/api.ts'

/** The part of a JSON schema by which values are made up. */
export interface MadeUpSchema {
  readonly type?: unknown
  readonly example?: unknown
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, MadeUpSchema>>
  readonly items?: MadeUpSchema
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
}

/** Makes up a value; `undefined` when the schema says too little. `size` is how long one can become, about, in characters. */
export interface Maker {
  readonly size: number
  make(): unknown
}

interface Range {
  readonly least: number
  readonly most: number
}

/** Longest body, about, that a schema may ask for. */
const MAX_CHARACTERS = 1_048_576
const NUMBER_CHARACTERS = 20
const LETTERS = 'abcdefghijklmnopqrstuvwxyz'

const MAKERS: Readonly<Record<string, (schema: MadeUpSchema, place: string) => Maker>> = {
  string: makeString,
  number: (schema, place) => {
    const { least, most } = range(schema.minimum, schema.maximum, { place, least: 0, most: 10_000 })
    return { size: NUMBER_CHARACTERS, make: () => least + Math.random() * (most - least) }
  },
  integer: (schema, place) => {
    const { least, most } = range(wholeAbove(schema.minimum), wholeBelow(schema.maximum), {
      place,
      least: 1,
      most: 10_000,
    })
    return { size: NUMBER_CHARACTERS, make: () => between(least, most) }
  },
  boolean: () => ({ size: 5, make: () => Math.random() < 0.5 }),
  null: () => ({ size: 4, make: () => null }),
  object: makeObject,
  array: makeArray,
}

const NOTHING: Maker = { size: 0, make: () => undefined }

/** Compiles a schema into what makes up values. Throws {@link ConfigError} for bounds that make no sense and for bodies without end. */
export function compileMadeUp(schema: MadeUpSchema, place = 'response_schema'): Maker {
  const maker = makerOf(schema, place)
  if (maker.size > MAX_CHARACTERS) {
    throw new ConfigError(
      `${place} can make up more than ${MAX_CHARACTERS} characters; lower its maxItems or maxLength`,
    )
  }
  return maker
}

function makerOf(schema: MadeUpSchema, place: string): Maker {
  if (typeof schema !== 'object' || schema === null) return NOTHING
  const { example, enum: choices } = schema
  if (example !== undefined) return { size: sizeOf(example), make: () => example }
  if (choices?.length) {
    return { size: Math.max(...choices.map(sizeOf)), make: () => choices[between(0, choices.length - 1)] }
  }
  const kind = String(schema.type ?? (schema.properties ? 'object' : schema.items && 'array'))
  return Object.hasOwn(MAKERS, kind) ? MAKERS[kind]!(schema, place) : NOTHING
}

function makeString(schema: MadeUpSchema, place: string): Maker {
  const { least, most } = range(schema.minLength, schema.maxLength, { place, least: 1, most: 10 })
  return {
    size: most,
    make: () => Array.from({ length: between(least, most) }, () => LETTERS[between(0, 25)]).join(''),
  }
}

function makeObject({ properties = {} }: MadeUpSchema, place: string): Maker {
  const makers = Object.entries(properties).map(
    ([key, property]) => [key, compileMadeUp(property, `${place}.${key}`)] as const,
  )
  return {
    size: makers.reduce((sum, [key, { size }]) => sum + key.length + size, 0),
    // Not by assignment: a property may be called __proto__.
    make: () => Object.fromEntries(makers.map(([key, maker]) => [key, maker.make()])),
  }
}

function makeArray({ items, minItems, maxItems }: MadeUpSchema, place: string): Maker {
  if (!items) return NOTHING
  const { least, most } = range(minItems, maxItems, { place, least: 1, most: 3 })
  const item = compileMadeUp(items, `${place}[]`)
  return {
    size: most * (item.size + 1),
    make: () => Array.from({ length: between(least, most) }, () => item.make()),
  }
}

/** The bounds of the schema; where it has only one, the other keeps its distance. */
function range(
  lower: number | undefined,
  upper: number | undefined,
  { place, least, most }: Range & { readonly place: string },
): Range {
  const from = lower ?? (upper === undefined ? least : Math.min(least, upper))
  const to = upper ?? from + (most - least)
  // Not by `>`: what is no number is refused too.
  if (from <= to && typeof from === 'number' && typeof to === 'number') return { least: from, most: to }
  throw new ConfigError(`${place} has no values between its bounds ${from} and ${to}`)
}

const wholeAbove = (bound: number | undefined) => (bound === undefined ? undefined : Math.ceil(bound))
const wholeBelow = (bound: number | undefined) => (bound === undefined ? undefined : Math.floor(bound))

/** A whole number, both ends included. */
function between(least: number, most: number): number {
  return least + Math.floor(Math.random() * (most - least + 1))
}

function sizeOf(value: unknown): number {
  return JSON.stringify(value)?.length ?? 0
}
