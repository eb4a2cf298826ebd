/** A send that failed part of the way: the first `delivered` entries arrived and are not sent again. */
export class BatchSendError extends Error {
  override readonly name = 'BatchSendError'
  readonly delivered: number

  constructor(message: string, delivered: number) {
    super(message)
    this.delivered = delivered
  }
}
