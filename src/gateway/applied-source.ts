import type { Ref } from '../model/kind.ts'
import type { Publisher } from '../snapshot/publisher.ts'

/** What the admin API asks of the local data plane for `?wait=applied`; its own interface says more. */
export interface AppliedSource {
  waitFor(revision: number, signal: AbortSignal): Promise<void>
  status(): { readonly observed: number; readonly published: number }
  quarantined(ref: Ref): string | undefined
}

/** The publisher as the admin API sees it. */
export function appliedSource(publisher: Publisher): AppliedSource {
  return {
    waitFor: (revision, signal) => publisher.applied.waitFor(revision, signal),
    status: () => {
      const { observed, published } = publisher.status
      return { observed, published }
    },
    quarantined: ({ kind, id }) =>
      publisher.status.quarantined.find((one) => one.kind === kind && one.id === id)?.reason,
  }
}
