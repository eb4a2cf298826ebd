import { KIND_WORD, KINDS, type Kind } from '../model/kind.ts'
import { hashHeaderKeySchema, hashVarsKeySchema } from '../model/schemas/hash-key.ts'
import { SCHEMAS } from '../model/schemas/index.ts'
import { pluginListSchema } from '../model/schemas/plugin-list.ts'

/** `main` of `/v1/schema` does not name these (contract §8.1). */
const NOT_SHOWN: ReadonlySet<Kind> = new Set<Kind>(['plugin_metadata', 'secrets', 'credentials'])

/** The schemas of the resources, by the names of contract §8.1. */
export const MAIN_SCHEMAS: Readonly<Record<string, object>> = {
  ...Object.fromEntries(
    KINDS.filter((kind) => !NOT_SHOWN.has(kind)).map((kind) => [
      KIND_WORD[kind].replaceAll(' ', '_'),
      SCHEMAS[kind],
    ]),
  ),
  plugins: pluginListSchema,
  upstream_hash_vars_schema: hashVarsKeySchema,
  upstream_hash_header_schema: hashHeaderKeySchema,
}
