import { Ajv } from 'ajv'
import { partWithBranchDefaults } from './branch-defaults.ts'
import { explain } from './explain.ts'
import { FORMATS } from './formats.ts'
import { refuseUnknownAssertions, type SchemaNode } from './schema-node.ts'
import { toPattern } from './schema-value.ts'

/**
 * Checks a value against one JSON schema; fills in the schema's defaults in place. Returns `undefined` when the value is valid,
 * else the message in the grammar of contract §3.1.
 */
export type Validator = (value: unknown) => string | undefined

const OPTIONS = {
  // Without it a key such as "constructor" would count as present in every object.
  ownProperties: true,
  strict: false,
  useDefaults: true,
  allErrors: false,
  messages: false,
  logger: false,
  formats: Object.fromEntries(FORMATS),
  code: { regExp: Object.assign(toPattern, { code: 'toPattern' }) },
} as const

/** Tells sound schemas from wrong ones. */
const judge = new Ajv(OPTIONS)

/** By the schema's identity; goes with the schema. */
const compiled = new WeakMap<object, Validator>()

/**
 * Makes the validator of a schema, once per schema object. ajv says fast whether a value fits; of those it refuses, {@link explain}
 * tells the reason, or that by APISIX's rules there is none (secret references, `{}` for `[]`). Throws when the schema itself is
 * wrong or uses a keyword that cannot be explained. The schema must not change afterwards.
 */
export function compileValidator(schema: object): Validator {
  const known = compiled.get(schema)
  if (known !== undefined) return known
  const node = schema as SchemaNode
  refuseUnknownAssertions(node)
  void judge.validateSchema(schema, true)
  let validate: Validator | undefined
  // At the first value: a start would compile the schemas of 51 plugins, of which few are used, in a third of its time (disk.test.ts, C2).
  const validator: Validator = (value) => {
    validate ??= prepare(node)
    return validate(value)
  }
  compiled.set(schema, validator)
  return validator
}

function prepare(node: SchemaNode): Validator {
  // One of its own, which goes with the schema: a shared one keeps values of each that it ever compiled.
  const isValid = new Ajv({ ...OPTIONS, meta: false, validateSchema: false }).compile(node)
  const unfilled = partWithBranchDefaults(node)
  return (value) => {
    if (!isValid(value)) return explain(node, value)
    return unfilled && explain(unfilled, value)
  }
}
