import { readdirSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { isSourceFolder } from './watch-folders.ts'

/** What tells one version of a file from another, by path. */
export type FileStates = ReadonlyMap<string, string>

const MAX_FILES = 20_000

/** All files in these folders that code may depend on. */
export function readFileStates(roots: readonly string[]): FileStates {
  const states = new Map<string, string>()
  const open = [...roots]
  for (let folder = open.pop(); folder !== undefined && states.size < MAX_FILES; folder = open.pop()) {
    for (const item of entriesOf(folder)) {
      const path = join(folder, item.name)
      if (item.isDirectory()) {
        if (isSourceFolder(item.name)) open.push(path)
      } else if (!item.name.endsWith('.md') && !item.name.startsWith('.')) {
        const state = stateOf(path)
        if (state !== undefined) states.set(path, state)
      }
    }
  }
  return states
}

/** The files that are in one of them only, or differ. */
export function differences(before: FileStates, after: FileStates): string[] {
  const changed = [...after].flatMap(([path, state]) => (before.get(path) === state ? [] : [path]))
  return [...changed, ...[...before.keys()].filter((path) => !after.has(path))]
}

export function isWithin(path: string, folder: string): boolean {
  return path.startsWith(folder + sep)
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    // It is not there, or no longer: then it holds nothing.
    return []
  }
}

function stateOf(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found && `${found.mtimeNs} ${found.size} ${found.ino}`
}
