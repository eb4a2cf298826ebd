import { open } from 'node:fs/promises'

/**
 * Appends lines to a file. It is opened anew each time: a file that was moved away or removed meanwhile, as log rotation does, comes
 * into being again. Written in one piece, so that lines of several writers do not mix.
 */
export async function appendLines(path: string, lines: readonly string[]): Promise<void> {
  const file = await open(path, 'a')
  try {
    await file.appendFile(`${lines.join('\n')}\n`)
  } finally {
    await file.close()
  }
}
