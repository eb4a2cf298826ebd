import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'

/** A secret text that one installation keeps for itself. */
export interface KeyFile {
  /** Without the newline at its end. */
  readonly text: string
  /** Whether this call made it. */
  readonly isNew: boolean
}

/**
 * The text in the file at `path`; where there is none, what `generate` returns is kept there first, whole or not at all. Of two
 * processes that do this together one makes the text, and both return it. File and folder are made for their owner alone. Throws
 * when the file cannot be read or made.
 */
export function keepKeyFile(path: string, generate: () => string): KeyFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const isNew = !exists(path) && makeKeyFile(path, generate())
  return { text: readKeyFile(path) ?? '', isNew }
}

/** As {@link keepKeyFile} for a file that may not be there; it is not made. */
export function readKeyFile(path: string): string | undefined {
  if (!exists(path)) return undefined
  // A copy or a restored backup may have lost the mode; nobody else on the machine may read the key.
  chmodSync(path, 0o600)
  return readFileSync(path, 'utf8').trim()
}

function exists(path: string): boolean {
  try {
    closeSync(openSync(path, 'r'))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** Returns false when another process was first. */
function makeKeyFile(path: string, text: string): boolean {
  const draft = `${path}.${process.pid}`
  rmSync(draft, { force: true })
  const file = openSync(draft, 'wx', 0o600)
  try {
    writeSync(file, `${text}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  try {
    return publish(draft, path)
  } finally {
    rmSync(draft, { force: true })
  }
}

function publish(draft: string, path: string): boolean {
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error
    // A file system without hard links: the race between two first starts is lost there, atomicity is not.
    renameSync(draft, path)
    return true
  }
}
