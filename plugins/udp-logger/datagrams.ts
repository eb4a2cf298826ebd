import type { Unsendable } from '../_shared/batch/send-error.ts'
import { MAX_DATAGRAM_BYTES } from '../_shared/sink/datagram-sink.ts'

export interface PackedDatagrams {
  readonly datagrams: readonly Buffer[]
  /** The entries that are longer than a datagram, when there are any. */
  readonly unsendable: Unsendable | undefined
}

/**
 * Packs a batch into as few datagrams as hold it, each of them whole JSON: a list of entries, or with batches of one entry that
 * entry itself (contract §7, BATCH).
 */
export function packDatagrams(
  entries: readonly unknown[],
  batchMaxSize: number,
  maxBytes = MAX_DATAGRAM_BYTES,
): PackedDatagrams {
  const brackets = batchMaxSize === 1 ? 0 : 2
  const texts = entries.map((entry) => Buffer.from(JSON.stringify(entry)))
  const fitting = texts.filter((text) => text.length + brackets <= maxBytes)
  return {
    datagrams: brackets === 0 ? fitting : listsOf(fitting, maxBytes),
    unsendable: tooLong(texts.length - fitting.length, maxBytes),
  }
}

function listsOf(texts: readonly Buffer[], maxBytes: number): Buffer[] {
  const lists: Buffer[] = []
  let items: Buffer[] = []
  // Both brackets, and a comma less than there are entries.
  let bytes = 1
  for (const text of texts) {
    if (bytes + text.length + 1 > maxBytes) {
      lists.push(joined(items))
      items = []
      bytes = 1
    }
    items.push(text)
    bytes += text.length + 1
  }
  if (items.length > 0) lists.push(joined(items))
  return lists
}

function joined(items: readonly Buffer[]): Buffer {
  return Buffer.concat([
    Buffer.from('['),
    ...items.flatMap((item, i) => (i === 0 ? [item] : [Buffer.from(','), item])),
    Buffer.from(']'),
  ])
}

function tooLong(count: number, maxBytes: number): Unsendable | undefined {
  if (count === 0) return undefined
  const reason = new Error(
    `${count} entries are longer than the ${maxBytes} bytes of a datagram; leave out bodies, choose fields with log_format, or use tcp-logger`,
  )
  return { unsendable: count, reason }
}
