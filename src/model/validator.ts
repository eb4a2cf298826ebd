/**
 * Checks a value against one JSON schema; fills in the schema's defaults in place. Returns `undefined` when the value is valid,
 * else the message in the grammar of contract §3.1.
 */
export type Validator = (value: unknown) => string | undefined
