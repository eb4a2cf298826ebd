import { ConfigError, compileTemplate, type VariableSource } from '../../../src/plugin/api.ts'

/** Gives the amount for one request; `undefined` when a template did not come to a positive number. */
export type Amount = (source: VariableSource) => number | undefined

/**
 * Compiles a number, or a template such as `${http_x_limit ?? 10}`. Throws for a constant text that is no positive number; `least` 0
 * allows for zero.
 */
export function compileAmount(field: string, value: number | string, least?: 0): Amount {
  if (typeof value === 'number') return () => value
  const isGood = (number: number) => Number.isFinite(number) && (number > 0 || number === least)
  const template = compileTemplate(value)
  if (!template.isConstant) return (source) => goodNumber(template.render(source), isGood)
  const amount = goodNumber(value, isGood)
  if (amount !== undefined) return () => amount
  throw new ConfigError(
    `${field} ${JSON.stringify(value)} is not a positive number; write a number or a template like "\${http_x_quota ?? 10}"`,
  )
}

function goodNumber(text: string, isGood: (number: number) => boolean): number | undefined {
  const number = text.trim() === '' ? Number.NaN : Number(text)
  return isGood(number) ? number : undefined
}
