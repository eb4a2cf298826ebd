import { BatchSendError, type Unsendable } from '../batch/send-error.ts'
import { type DatagramSink, MAX_DATAGRAM_BYTES, sendDatagrams } from './datagram-sink.ts'

/** A datagram made of entries of a batch. */
export interface BatchDatagram {
  readonly bytes: Buffer
  /** How many entries it holds. */
  readonly entries: number
  /** How many of the batch's entries are done with once it was sent, in the order of the batch: those that no datagram holds included. */
  readonly upTo: number
}

/** A batch as datagrams. */
export interface DatagramBatch {
  readonly datagrams: readonly BatchDatagram[]
  /** The entries that are longer than a datagram, when there are any. */
  readonly unsendable: Unsendable | undefined
}

/** Makes a datagram of each text; `remedy` says what to do about texts that are too long for one. */
export function packEach(
  texts: readonly Buffer[],
  remedy: string,
  maxBytes: number = MAX_DATAGRAM_BYTES,
): DatagramBatch {
  const datagrams = texts.flatMap((bytes, i) =>
    bytes.length > maxBytes ? [] : [{ bytes, entries: 1, upTo: i + 1 }],
  )
  return { datagrams, unsendable: tooLong(texts.length - datagrams.length, maxBytes, remedy) }
}

/** What to tell of so many entries that are too long; `undefined` for none. */
export function tooLong(count: number, maxBytes: number, remedy: string): Unsendable | undefined {
  if (count === 0) return undefined
  const reason = new Error(`${count} entries are longer than the ${maxBytes} bytes of a datagram; ${remedy}`)
  return { unsendable: count, reason }
}

/**
 * Sends a batch as {@link sendDatagrams} does, and gives back what could not be sent. Rejects with a {@link BatchSendError} that
 * counts entries, so that those sent before a failure are not sent again.
 */
export async function sendDatagramBatch(
  sink: DatagramSink,
  { datagrams, unsendable }: DatagramBatch,
  signal: AbortSignal,
): Promise<Unsendable | undefined> {
  try {
    await sendDatagrams(
      sink,
      datagrams.map(({ bytes }) => bytes),
      signal,
    )
  } catch (error) {
    throw error instanceof BatchSendError ? inEntries(error, datagrams) : error
  }
  return unsendable
}

function inEntries(
  { message, delivered }: BatchSendError,
  datagrams: readonly BatchDatagram[],
): BatchSendError {
  const sent = datagrams.slice(0, delivered)
  const entries = sent.reduce((sum, datagram) => sum + datagram.entries, 0)
  return new BatchSendError(message, entries, (sent.at(-1)?.upTo ?? 0) - entries)
}
