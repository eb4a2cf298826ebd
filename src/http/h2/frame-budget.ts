/** What a connection may spend on frames that neither ask nor bring anything, in bytes a second. */
const FREE_BYTES = 64 * 1024
/** A client that takes an answer tells of its window; a tiny frame of ours may earn two of its. */
const PER_BYTE_WRITTEN = 4
/** A body may come in tiny frames, with as much around it. */
const PER_BODY_BYTE = 16

/** What has passed over a connection since it began. */
export interface PassedBytes {
  readonly bytesRead: number
  readonly bytesWritten: number
}

/**
 * Tells useful frames from floods by what they bring. PRIORITY, WINDOW_UPDATE, padding, frames of unknown types, frames for streams that
 * are gone and header blocks that are refused are never shown by Node's HTTP/2 one by one; that bytes were read for nothing, is.
 */
export class FrameBudget {
  readonly #headBytes: number
  #streams = 0
  #bodyBytes = 0
  #read = 0
  #written = 0

  /** `headBytes`: the most that the head of one request may take. */
  constructor(headBytes: number) {
    this.#headBytes = headBytes
  }

  /** A request has begun. */
  stream(): void {
    this.#streams++
  }

  /** So much of a request's body has come. */
  body(bytes: number): void {
    this.#bodyBytes += bytes
  }

  /** To be asked once a second: whether more has been read since the last time than can have been of use. */
  isSpent({ bytesRead, bytesWritten }: PassedBytes): boolean {
    const allowed =
      FREE_BYTES +
      this.#streams * this.#headBytes +
      this.#bodyBytes * PER_BODY_BYTE +
      (bytesWritten - this.#written) * PER_BYTE_WRITTEN
    const isSpent = bytesRead - this.#read > allowed
    this.#streams = 0
    this.#bodyBytes = 0
    this.#read = bytesRead
    this.#written = bytesWritten
    return isSpent
  }
}
