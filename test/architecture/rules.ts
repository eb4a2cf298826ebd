import type { SourceFacts } from './scan.ts'

export interface Caps {
  readonly fileLines: number
  readonly functionLines: number
  readonly parameters: number
}

/** Files and functions that have outgrown their caps. */
export function sizeBreaches(facts: SourceFacts, caps: Caps): string[] {
  const breaches: string[] = []
  if (facts.lineCount > caps.fileLines) {
    breaches.push(`${facts.path} has ${facts.lineCount} lines, at most ${caps.fileLines}: it is two files`)
  }
  for (const { name, line, lineCount, parameterCount } of facts.functions) {
    const where = `${facts.path}:${line} ${name}`
    if (lineCount > caps.functionLines)
      breaches.push(`${where} has ${lineCount} lines, at most ${caps.functionLines}`)
    if (parameterCount > caps.parameters) {
      breaches.push(`${where} takes ${parameterCount} parameters, at most ${caps.parameters}: pass an object`)
    }
  }
  return breaches
}

/** Lines that divide a file (rows of one sign) and promises of later. */
export function commentBreaches(facts: SourceFacts): string[] {
  return facts.comments.flatMap(({ line, text }) => {
    const where = `${facts.path}:${line}`
    // The name that ends the second group's row keeps quoted certificates ("-----BEGIN …") out.
    if (/(^|\s)([-=*#~_─━═])\2{3,}(\s|$)/.test(text))
      return [`${where} is a banner line: divide the file instead`]
    if (/\b(TODO|FIXME)\b/.test(text)) return [`${where} promises later: do it or open an issue`]
    return []
  })
}

/** Module-level variables that can be assigned: state that nobody owns. */
export function stateBreaches(facts: SourceFacts): string[] {
  return facts.mutableStateLines.map(
    (line) => `${facts.path}:${line} declares a variable of the module: give it an owner`,
  )
}

/** Names that say "look inside": any word of any folder or file name. */
export function nameBreaches(path: string, drawers: readonly string[]): string[] {
  const words = path.split('/').flatMap((part) => part.split(/[-_.]/))
  return words
    .filter((word) => drawers.includes(word))
    .map((word) => `${path}: "${word}" is the name of a drawer`)
}

/** What the folders of plugins lack, given every path below `plugins/`. */
export function pluginFolderBreaches(paths: readonly string[]): string[] {
  const have = new Set(paths)
  return pluginNames(paths).flatMap((name) =>
    ['index.ts', 'README.md', `${name}.test.ts`]
      .filter((file) => !have.has(`plugins/${name}/${file}`))
      .map((file) => `plugins/${name} has no ${file}`),
  )
}

/** Folders below `plugins/` that are plugins, in alphabetical order. */
export function pluginNames(paths: readonly string[]): string[] {
  const folders = paths.map((path) => /^plugins\/([^_/][^/]*)\//.exec(path)?.[1])
  return [...new Set(folders.filter((name) => name !== undefined))].sort()
}

/** Plugins that the catalogue lacks, invents or lists out of order; the lazy imports are its content. */
export function catalogueBreaches(catalogue: SourceFacts, names: readonly string[]): string[] {
  const listed = catalogue.imports
    .filter(({ isLazy }) => isLazy)
    .map(({ specifier }) => /^\.\/([^/]+)\/index\.ts$/.exec(specifier)?.[1] ?? specifier)
  const missing = names.filter((name) => !listed.includes(name)).map((name) => `the catalogue lacks ${name}`)
  const invented = listed
    .filter((name) => !names.includes(name))
    .map((name) => `the catalogue invents ${name}`)
  const disorder = listed
    .filter((name, index) => index > 0 && listed[index - 1]! >= name)
    .map((name) => `the catalogue lists ${name} out of alphabetical order`)
  return [...missing, ...invented, ...disorder]
}
