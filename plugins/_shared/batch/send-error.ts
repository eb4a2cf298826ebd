/** A send that failed part of the way: the first `delivered` entries arrived and are not sent again. */
export class BatchSendError extends Error {
  override readonly name = 'BatchSendError'
  readonly delivered: number

  constructor(message: string, delivered: number) {
    super(message)
    this.delivered = delivered
  }
}

/** The other entries were delivered; so many never can be, such as one that is longer than the sink takes. */
export interface Unsendable {
  readonly unsendable: number
  readonly reason: Error
}
