import { ConfigError, compileTemplate, type VariableSource } from '../../../src/plugin/api.ts'

/** Gives the amount for one request; `undefined` when a template did not come to a positive number. */
export type Amount = (source: VariableSource) => number | undefined

/** Compiles a number, or a template such as `${http_x_limit ?? 10}`. Throws for a constant text that is no positive number. */
export function compileAmount(field: string, value: number | string): Amount {
  if (typeof value === 'number') return () => value
  const template = compileTemplate(value)
  if (!template.isConstant) return (source) => positive(template.render(source))
  const amount = positive(value)
  if (amount !== undefined) return () => amount
  throw new ConfigError(
    `${field} ${JSON.stringify(value)} is not a positive number; write a number or a template like "\${http_x_quota ?? 10}"`,
  )
}

function positive(text: string): number | undefined {
  const number = text.trim() === '' ? Number.NaN : Number(text)
  return Number.isFinite(number) && number > 0 ? number : undefined
}
