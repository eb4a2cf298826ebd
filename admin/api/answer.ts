import type { Ref } from '../../src/model/kind.ts'

/** What goes to the client: `json` is encoded with a newline, `text` goes as it is. Neither is an empty body. */
export interface Answer {
  readonly status: number
  readonly json?: unknown
  readonly text?: string
  readonly headers?: Readonly<Record<string, string>>
  /** What was changed, for its ETag, `?wait=applied` and the audit log; absent when nothing was. */
  readonly written?: Written
}

/** One resource before and after a write. */
export interface Written extends Ref {
  /** Its revision before, 0 when it did not exist. */
  readonly before: number
  /** The revision that the write made; 0 in a dry run, which makes none. */
  readonly after: number
}

/** Ends a request with an answer that is no success. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly answer: Answer

  constructor(answer: Answer) {
    super(answer.text ?? JSON.stringify(answer.json))
    this.answer = answer
  }
}

/** `{"error_msg": message}`, the shape of the admin API's own errors (contract §1.3). */
export function refuse(status: number, message: string): Refusal {
  return new Refusal({ status, json: { error_msg: message } })
}

/** The answer of GET, PATCH and DELETE for what is not there. */
export function keyNotFound(): Refusal {
  return new Refusal({ status: 404, json: { message: 'Key not found' } })
}

/** The answer with the revision that `If-Match` takes. */
export function withEtag(answer: Answer, revision: number): Answer {
  return { ...answer, headers: { ...answer.headers, etag: `"${revision}"` } }
}
