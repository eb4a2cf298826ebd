import { readdirSync } from 'node:fs'
import { join, sep } from 'node:path'

const SKIPPED = new Set(['node_modules', 'dist', 'data', 'coverage'])

/**
 * The `*.test.ts` files under the given folders of `root`, as sorted paths relative to it with forward slashes. With filters,
 * only those whose path contains at least one of them. Folders that do not exist hold no tests.
 */
export function findTests(root: string, folders: readonly string[], filters: readonly string[]): string[] {
  const wanted = filters.map((filter) => filter.replace(/^\.\//, '').split(sep).join('/'))
  return folders
    .flatMap((folder) => walk(root, folder))
    .filter((file) => wanted.length === 0 || wanted.some((filter) => file.includes(filter)))
    .sort()
}

function walk(root: string, folder: string): string[] {
  return entriesOf(join(root, folder)).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : walk(root, path)
    return entry.name.endsWith('.test.ts') ? [path] : []
  })
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
