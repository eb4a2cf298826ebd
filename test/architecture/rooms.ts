import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import type { ImportFact, SourceFacts } from './scan.ts'

/**
 * One row of the import table. An entry is a path or a package, with conditions in brackets: `(T)` types only, `(only x.ts)` in
 * that file or folder of the room only, `(lazy)` through `import()` only. `*` stands for any package.
 */
export interface Room {
  /** A folder or file; `<name>` stands for one folder that does not begin with `_`. */
  readonly folder: string
  readonly mayImport: readonly string[]
  readonly packages: readonly string[]
}

interface Entry {
  readonly name: string
  readonly isTypesOnly: boolean
  readonly isLazyOnly: boolean
  readonly onlyIn: string | undefined
}

/** The row as a line of the table in CONTRIBUTING.md. */
export function renderRoom(room: Room): string {
  const cell = (entries: readonly string[], none: string) => (entries.length > 0 ? entries.join(', ') : none)
  return `| ${room.folder} | ${cell(room.mayImport, 'nothing')} | ${cell(room.packages, 'none')} |`
}

/** What the file imports that its room may not; a file without a room is itself a breach. */
export function importBreaches(facts: SourceFacts, rooms: readonly Room[]): string[] {
  const room = rooms.find(({ folder }) => homeIn(folder, facts.path) !== undefined)
  if (room === undefined) return [`${facts.path} lies in no room of the import table`]
  return facts.imports
    .filter((fact) => !isAllowed(fact, facts.path, room))
    .map((fact) => `${facts.path}:${fact.line} may not import ${fact.specifier} (${renderRoom(room)})`)
}

/** True for files that only tests may import: tests, contract suites and everything below `test/`. */
export function isTestCode(path: string): boolean {
  return path.startsWith('test/') || /(\.test|-contract)\.ts$/.test(path)
}

function isAllowed(fact: ImportFact, path: string, room: Room): boolean {
  if (isBuiltin(fact.specifier)) return true
  if (!fact.specifier.startsWith('.')) return isPackageAllowed(fact, path, room)
  const target = posix.join(posix.dirname(path), fact.specifier)
  if (isTestCode(target)) return false
  const home = homeIn(room.folder, path)!
  return (
    isWithin(target, home) ||
    room.mayImport
      .map(readEntry)
      .some((entry) => homeIn(entry.name, target) !== undefined && meets(entry, fact, { path, home }))
  )
}

function isPackageAllowed(fact: ImportFact, path: string, room: Room): boolean {
  const name = packageOf(fact.specifier)
  const home = homeIn(room.folder, path)!
  return room.packages
    .map(readEntry)
    .some((entry) => (entry.name === name || entry.name === '*') && meets(entry, fact, { path, home }))
}

function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

function meets(entry: Entry, fact: ImportFact, where: { path: string; home: string }): boolean {
  if (entry.isTypesOnly && !fact.isTypeOnly) return false
  if (entry.isLazyOnly && !fact.isLazy && !fact.isTypeOnly) return false
  return entry.onlyIn === undefined || isWithin(where.path, posix.join(where.home, entry.onlyIn))
}

function readEntry(text: string): Entry {
  const [, name, condition] = /^(\S+)(?: \((.+)\))?$/.exec(text) ?? []
  if (name === undefined) throw new Error(`"${text}" is no entry of the import table`)
  const onlyIn = /^only (\S+)$/.exec(condition ?? '')?.[1]
  return { name, isTypesOnly: condition === 'T', isLazyOnly: condition === 'lazy', onlyIn }
}

/** The folder or file that `pattern` means for this path, or `undefined` when the path is not inside. */
function homeIn(pattern: string, path: string): string | undefined {
  const expression = pattern.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace('<name>', '[^_/][^/]*')
  // A placeholder is a folder: plugins/catalogue.ts is not the plugin "catalogue.ts".
  const end = pattern.endsWith('<name>') ? '(?=/)' : '(?=/|$)'
  return new RegExp(`^${expression}${end}`).exec(path)?.[0]
}

function isWithin(path: string, folderOrFile: string): boolean {
  return path === folderOrFile || path.startsWith(`${folderOrFile}/`)
}
