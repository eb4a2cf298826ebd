import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readFile } from './disk-file.ts'
import { makePrivateFolder } from './private-folder.ts'

const ENTRY_NAME = /^([0-9a-f]{64})\.([0-9a-f]{64})\.[0-9a-f]{8}$/
const UNFINISHED_NAME = /^[0-9a-f]{24}\.tmp$/
const LEVEL_NAME = /^[0-9a-f]{1,2}$/
/** An unfinished file that nobody has written to for so long belongs to a process that is gone. */
const ABANDONED_MS = 10 * 60_000
const ROOT_USER = 0

export interface FoundFile {
  readonly group: string
  readonly variant: string
  readonly path: string
  readonly bytes: number
  readonly vary: readonly string[]
}

export interface ScanOwner {
  /** The scan then ends early. */
  isOver(): boolean
  now(): number
  add(file: FoundFile): void
  /** Of no use any more: over its time, or not readable. Only ever of files that this code has named. */
  remove(path: string): void
}

/**
 * Makes the folder, or looks through what an earlier run has left in it. Throws when the folder cannot be made or read, or belongs
 * to another user: who can write into it decides what clients get.
 */
export async function scanFolder(folder: string, levels: number, owner: ScanOwner): Promise<void> {
  await makePrivateFolder(folder)
  const { uid } = await stat(folder)
  const own = process.getuid?.() ?? uid
  if (uid !== own && uid !== ROOT_USER) {
    throw new Error(`the folder ${folder} belongs to user ${uid}, not to ${own}; name another disk_path`)
  }
  await removeAbandoned(join(folder, 'unfinished'), owner)
  await scanLevel(folder, levels, owner)
}

async function scanLevel(folder: string, levels: number, owner: ScanOwner): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (owner.isOver()) return
    const path = join(folder, entry.name)
    if (levels > 0) {
      if (entry.isDirectory() && LEVEL_NAME.test(entry.name)) await scanLevel(path, levels - 1, owner)
      continue
    }
    const name = ENTRY_NAME.exec(entry.name)
    if (name && entry.isFile()) await look({ path, group: name[1]!, variant: name[2]! }, owner)
  }
}

async function look(
  { path, group, variant }: Pick<FoundFile, 'path' | 'group' | 'variant'>,
  owner: ScanOwner,
): Promise<void> {
  try {
    const handle = await open(path)
    try {
      const { head, bodyAt, bodyBytes } = await readFile(handle)
      const isFresh = head.storedAtMs + head.freshForMs > owner.now()
      if (isFresh) owner.add({ path, group, variant, bytes: bodyAt + bodyBytes, vary: head.vary })
      else owner.remove(path)
    } finally {
      await handle.close()
    }
  } catch {
    // Whatever it is, it is not an answer; the next request for it asks the upstream.
    owner.remove(path)
  }
}

async function removeAbandoned(folder: string, owner: ScanOwner): Promise<void> {
  await makePrivateFolder(folder)
  for (const name of await readdir(folder)) {
    if (!UNFINISHED_NAME.test(name)) continue
    const path = join(folder, name)
    const { mtimeMs } = await stat(path)
    if (owner.now() - mtimeMs > ABANDONED_MS) owner.remove(path)
  }
}
