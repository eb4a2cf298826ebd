import { existsSync, type FSWatcher, readdirSync, watch } from 'node:fs'
import { dirname, join } from 'node:path'

/** Editors write a file in several steps. */
const DEBOUNCE_MS = 25

/** Folders below one another that are watched at most; what lies deeper is not seen. */
const MAX_FOLDERS = 2000

/** Whether a folder holds what plugins are made of. */
export function isSourceFolder(name: string): boolean {
  return name !== 'node_modules' && !name.startsWith('.')
}

/** Calls `onChange` a moment after anything changes in these folders or below them, those included that appear later. Owns its watchers until closed. */
export class FolderWatch {
  readonly #roots: readonly string[]
  readonly #onChange: () => void
  readonly #watchers = new Map<string, FSWatcher>()
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(roots: readonly string[], onChange: () => void) {
    this.#roots = roots
    this.#onChange = onChange
    this.#follow()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  /** How many folders are watched. */
  get size(): number {
    return this.#watchers.size
  }

  #follow(): void {
    const wanted = new Set(this.#roots.flatMap(watchedFor))
    for (const [folder, watcher] of this.#watchers) {
      if (wanted.has(folder)) continue
      watcher.close()
      this.#watchers.delete(folder)
    }
    for (const folder of wanted) if (!this.#watchers.has(folder)) this.#watch(folder)
  }

  #watch(folder: string): void {
    if (this.#watchers.size >= MAX_FOLDERS) return
    const onEvent = () => this.#onEvent()
    try {
      const watcher = watch(folder, onEvent)
      // The folder is gone: whatever took its place is found by what comes next.
      watcher.on('error', onEvent)
      this.#watchers.set(folder, watcher)
    } catch {
      // It went away between being found and being watched, which its parent tells.
      this.#onEvent()
    }
  }

  #onEvent(): void {
    if (this.#isClosed || this.#timer) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#follow()
      this.#onChange()
    }, DEBOUNCE_MS)
  }
}

/** A folder with all below it; for one that is not there, the nearest above it that is. */
function watchedFor(root: string): string[] {
  return existsSync(root) ? foldersIn(root) : [nearestAbove(root)]
}

function nearestAbove(path: string): string {
  const parent = dirname(path)
  return existsSync(parent) || parent === path ? parent : nearestAbove(parent)
}

function foldersIn(root: string): string[] {
  const found = [root]
  for (let at = 0; at < found.length && found.length < MAX_FOLDERS; at++) {
    for (const item of entriesOf(found[at]!)) {
      if (item.isDirectory() && isSourceFolder(item.name)) found.push(join(found[at]!, item.name))
    }
  }
  return found
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    // It went away while its parent was read.
    return []
  }
}
