import { randomBytes } from 'node:crypto'
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

const PREFIX = 'draft.'
/** One that is being written changes all the time. Either way: the clock may have jumped meanwhile. */
const ABANDONED_AFTER_MS = 60_000

/** A name that no other process has, in another container neither. */
export function draftName(): string {
  return `${PREFIX}${process.pid}.${randomBytes(8).toString('hex')}`
}

/** Removes what saves left behind that were killed. Never rejects: what cannot be removed does no harm but take up room. */
export async function removeAbandonedDrafts(directory: string): Promise<void> {
  try {
    for (const name of await readdir(directory)) {
      if (name.startsWith(PREFIX)) await removeIfAbandoned(join(directory, name))
    }
  } catch {
    // There is no such folder yet, or somebody else tidies it too.
  }
}

async function removeIfAbandoned(path: string): Promise<void> {
  const { mtimeMs } = await stat(path)
  if (Math.abs(Date.now() - mtimeMs) > ABANDONED_AFTER_MS) await rm(path, { force: true })
}
