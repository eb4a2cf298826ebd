import { isIPv4, isIPv6 } from 'node:net'
import type { KeywordDefinition } from 'ajv'
import { ConfigError } from '../../src/plugin/api.ts'
import { compilePattern } from '../_shared/pattern/pattern.ts'
import { describeError } from './describe-error.ts'
import { canonicalText, toDraft7 } from './draft7.ts'

// The validators of the gateway's own schemas are for the people who configure it: they let references to secrets pass as any text,
// and know no $ref. What clients send needs a validator of its own.
const { Ajv } = await import('ajv')

/** Checks a value and fills in the schema's defaults in place; what is wrong, in the words of contract §3.1, or nothing. */
export type Check = (value: unknown) => string | undefined

/** ajv compares each item with each other one: on a long list that takes minutes. */
const UNIQUE_ITEMS: KeywordDefinition = {
  keyword: 'uniqueItems',
  type: 'array',
  schemaType: 'boolean',
  validate: (isWanted: boolean, items: readonly unknown[]) =>
    !isWanted || new Set(items.map(canonicalText)).size === items.length,
}

/** Throws {@link ConfigError} for what is no JSON schema, `attribute` being where it stands in the configuration. */
export function compileUserSchema(schema: object, attribute: string): Check {
  try {
    const ajv = makeAjv()
    const validate = ajv.compile(toDraft7(schema) as object)
    return (value) => {
      if (validate(value)) return undefined
      // The last error is that of the outermost keyword; those before it are of its branches.
      return describeError(validate.errors!.at(-1)!, value)
    }
  } catch (error) {
    throw new ConfigError(`${attribute}: ${(error as Error).message}`)
  }
}

function makeAjv() {
  const ajv = new Ajv({
    ownProperties: true,
    strict: false,
    useDefaults: true,
    verbose: true,
    logger: false,
    formats: { ipv4: isIPv4, ipv6: (text: string) => isIPv6(text) && !text.includes('%') },
    code: { regExp: Object.assign((source: string) => safePattern(source), { code: 'compilePattern' }) },
  })
  ajv.removeKeyword('uniqueItems')
  ajv.addKeyword(UNIQUE_ITEMS)
  return ajv
}

/** Characters are meant, not bytes; a pattern that could take for ever is refused. */
function safePattern(source: string) {
  const pattern = compilePattern(source, 'u')
  return { test: (text: string) => pattern.test(text) }
}
