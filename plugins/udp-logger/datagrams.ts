import { type BatchDatagram, type DatagramBatch, packEach, tooLong } from '../_shared/sink/datagram-batch.ts'
import { MAX_DATAGRAM_BYTES } from '../_shared/sink/datagram-sink.ts'

const REMEDY = 'leave out bodies, choose fields with log_format, or use tcp-logger'

/**
 * Packs a batch into as few datagrams as hold it, each of them whole JSON: a list of entries, or with batches of one entry that
 * entry itself (contract §7, BATCH).
 */
export function packDatagrams(
  entries: readonly unknown[],
  batchMaxSize: number,
  maxBytes: number = MAX_DATAGRAM_BYTES,
): DatagramBatch {
  const texts = entries.map((entry) => Buffer.from(JSON.stringify(entry)))
  return batchMaxSize === 1 ? packEach(texts, REMEDY, maxBytes) : packLists(texts, maxBytes)
}

/** The brackets of a list, and a comma less than there are entries. */
const BYTES_OF_EMPTY_LIST = 1

function packLists(texts: readonly Buffer[], maxBytes: number): DatagramBatch {
  const datagrams: BatchDatagram[] = []
  let items: Buffer[] = []
  let bytes = BYTES_OF_EMPTY_LIST
  let upTo = 0
  let long = 0
  const flush = () => {
    if (items.length > 0) datagrams.push({ bytes: joined(items), entries: items.length, upTo })
    items = []
    bytes = BYTES_OF_EMPTY_LIST
  }
  for (const [i, text] of texts.entries()) {
    if (text.length + 2 > maxBytes) {
      long += 1
      continue
    }
    if (bytes + text.length + 1 > maxBytes) flush()
    items.push(text)
    bytes += text.length + 1
    upTo = i + 1
  }
  flush()
  return { datagrams, unsendable: tooLong(long, maxBytes, REMEDY) }
}

function joined(items: readonly Buffer[]): Buffer {
  return Buffer.concat([
    Buffer.from('['),
    ...items.flatMap((item, i) => (i === 0 ? [item] : [Buffer.from(','), item])),
    Buffer.from(']'),
  ])
}
