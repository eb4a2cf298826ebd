/** What came of a request: it passed, was over a limit, could not be counted, or no rule was about it. */
export type Verdict = 'passed' | 'rejected' | 'failed' | 'skipped'

/** One of several limits; `undefined` as a key means that it is not about the request. */
export type Try<Subject> = (subject: Subject) => Verdict | Promise<Verdict>

/** Asks one limit after the other, until one does not let the request pass. Synchronous as long as they are. */
export function tryInTurn<Subject>(
  tries: readonly Try<Subject>[],
  subject: Subject,
): Verdict | Promise<Verdict> {
  return continueFrom(tries, { subject, from: 0, verdict: 'skipped' })
}

interface Progress<Subject> {
  readonly subject: Subject
  readonly from: number
  readonly verdict: Verdict
}

function continueFrom<Subject>(
  tries: readonly Try<Subject>[],
  { subject, from, verdict }: Progress<Subject>,
): Verdict | Promise<Verdict> {
  let reached = verdict
  for (let i = from; i < tries.length; i++) {
    const one = tries[i]!(subject)
    if (one instanceof Promise) {
      const soFar = reached
      return one.then((late) =>
        endsTurn(late) ? late : continueFrom(tries, { subject, from: i + 1, verdict: later(soFar, late) }),
      )
    }
    if (endsTurn(one)) return one
    reached = later(reached, one)
  }
  return reached
}

function endsTurn(verdict: Verdict): boolean {
  return verdict === 'rejected' || verdict === 'failed'
}

function later(before: Verdict, verdict: Verdict): Verdict {
  return verdict === 'skipped' ? before : verdict
}
