import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { BatchSendError } from '../_shared/batch/send-error.ts'

/** A named pipe that nobody reads must not hold a thread of the process: opening and writing it fail instead of waiting. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK
/** How long the reader of a pipe that is full may take to make room. */
const FULL_PIPE_MS = 1000
const RETRY_MS = 10
const LINE_FEED = 0x0a

/**
 * Appends lines to a file. It is opened anew each time: a file that was moved away or removed meanwhile, as log rotation does, comes
 * into being again. Written in one piece, so that lines of several writers do not mix. Rejects when it cannot be opened, and with
 * {@link BatchSendError} when it took a part.
 */
export async function appendLines(path: string, lines: readonly string[]): Promise<void> {
  const file = await open(path, FLAGS)
  try {
    await writeAll(file, Buffer.from(`${lines.join('\n')}\n`))
  } finally {
    await file.close()
  }
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  let written = 0
  let fullSince: number | undefined
  while (written < bytes.length) {
    try {
      written += (await file.write(bytes, written)).bytesWritten
      fullSince = undefined
    } catch (error) {
      fullSince ??= performance.now()
      const mayWait = (error as NodeJS.ErrnoException).code === 'EAGAIN'
      if (!mayWait || performance.now() - fullSince > FULL_PIPE_MS) {
        throw new BatchSendError((error as Error).message, wholeLines(bytes.subarray(0, written)))
      }
      await pause(RETRY_MS)
    }
  }
}

function wholeLines(bytes: Buffer): number {
  let lines = 0
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) lines += 1
  return lines
}
