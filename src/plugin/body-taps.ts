import type { BodyTap } from './definition.ts'

/** A plugin's tap, and where its failure is told. */
export interface OwnedTap {
  readonly tap: BodyTap
  fail(error: unknown): void
}

/** Several taps as one that never throws: one that does is told of and sees nothing more. */
export function bodyTaps(taps: readonly OwnedTap[]): BodyTap {
  const live = new Set(taps)
  const toEach = (act: (tap: BodyTap) => void) => {
    for (const owned of live) {
      try {
        act(owned.tap)
      } catch (error) {
        live.delete(owned)
        owned.fail(error)
      }
    }
  }
  return {
    write: (chunk) => toEach((tap) => tap.write(chunk)),
    end: (isWhole) => toEach((tap) => tap.end(isWhole)),
  }
}
