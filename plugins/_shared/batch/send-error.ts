/**
 * A send that failed part of the way: of the first entries so many were `delivered` and so many never can be (`unsendable`); these are
 * not sent again.
 */
export class BatchSendError extends Error {
  override readonly name = 'BatchSendError'
  readonly delivered: number
  readonly unsendable: number

  constructor(message: string, delivered: number, unsendable = 0) {
    super(message)
    this.delivered = delivered
    this.unsendable = unsendable
  }
}

/** The other entries were delivered; so many never can be, such as one that is longer than the sink takes. */
export interface Unsendable {
  readonly unsendable: number
  readonly reason: Error
}
