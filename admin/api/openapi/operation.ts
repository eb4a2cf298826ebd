import type { ParameterName } from './parameters.ts'

export type Method = 'get' | 'head' | 'put' | 'post' | 'patch' | 'delete'

/** One way of asking, before it is spelled out for the document. */
export interface Operation {
  readonly method: Method
  /** Below the root, with its parameters in braces. */
  readonly path: string
  /** The group of examples it belongs to. */
  readonly group: string
  readonly summary: string
  readonly parameters: readonly ParameterName[]
  /** Schemas of the body by media type; `undefined` when there is none. */
  readonly body?: Readonly<Record<string, object>>
  /** Schemas of the answers that are no refusals; `undefined` for those without a body. */
  readonly answers: Readonly<Record<number, object | undefined>>
  readonly refusals: readonly number[]
}

/** What any request may be refused for. */
export const ALWAYS: readonly number[] = [400, 401, 403, 404, 429]

/** The operation whose path this is (no query), the most literal one when several fit. */
export function findOperation(
  operations: readonly Operation[],
  method: string,
  path: string,
): Operation | undefined {
  const fitting = operations.filter((one) => one.method === method.toLowerCase() && fits(one.path, path))
  return fitting.sort((a, b) => holes(a.path) - holes(b.path))[0]
}

function holes(template: string): number {
  return template.split('{').length
}

/** A sub-path may have further segments, anything else is one. */
function fits(template: string, path: string): boolean {
  const pattern = template
    .replace(/[.]/g, '\\.')
    .replace('{path}', '.+')
    .replace(/\{\w+\}/g, '[^/]+')
  return new RegExp(`^${pattern}$`).test(path)
}
