import { type RequestContext, requestSlot } from '../../../src/plugin/api.ts'

/** Lower-case names of headers by which a plugin has told the upstream who is asking: the answer may be for that one alone. */
export const toldUpstream = requestSlot<readonly string[]>('headers that say who is asking')

/** Notes that these headers were set. */
export function noteTold(context: RequestContext, names: readonly string[]): void {
  if (names.length > 0)
    context.set(toldUpstream, [
      ...(context.get(toldUpstream) ?? []),
      ...names.map((name) => name.toLowerCase()),
    ])
}
