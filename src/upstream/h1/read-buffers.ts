/** How much one read of a plain socket brings at most. */
export const READ_BUFFER_BYTES = 64 * 1024
/** Kept for the next body: a new one costs as much as copying one. */
const MAX_SPARE = 32

const spare: Buffer[] = []

/** A buffer for the reads of one long body; given back with {@link giveBuffer} when no one can have bytes in it any more. */
export function takeBuffer(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(READ_BUFFER_BYTES)
}

/** Once for each buffer taken; one whose bytes may still be in use is dropped in place of that. */
export function giveBuffer(buffer: Buffer): void {
  if (spare.length < MAX_SPARE) spare.push(buffer)
}
