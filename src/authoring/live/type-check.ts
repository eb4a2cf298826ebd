import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PluginFolder } from '../plugin-folders.ts'
import { type CheckResult, endOf, locate, type Problem, yieldTo } from './check-result.ts'

const LIMIT_MS = 60_000
const OPTIONS = {
  ...{ noEmit: true, composite: false, incremental: false, declaration: false },
  ...{ skipLibCheck: true, allowImportingTsExtensions: true, types: ['node'] },
}
/** Where the author has no tsconfig.json of their own. */
const DEFAULTS = {
  ...{ target: 'es2023', lib: ['es2023'], module: 'esnext', moduleResolution: 'bundler', strict: true },
  resolveJsonModule: true,
}

interface Compiler {
  readonly script: string
  readonly typeRoot: string
}

/**
 * Checks the types of plugins with the TypeScript that is installed beside them, or else with the product's own; skipped when there is none. Only
 * what is wrong in `plugins` counts.
 */
export async function checkTypes(
  plugins: readonly PluginFolder[],
  signal: AbortSignal,
): Promise<CheckResult> {
  const [first] = plugins
  const files = plugins.flatMap(({ folder }) => typeScriptIn(folder))
  if (!first || files.length === 0) return { outcome: 'none', problems: [] }
  const compiler = findCompiler(first.folder)
  if (!compiler) {
    const note = 'types are not checked: install typescript and @types/node beside your plugins'
    return { outcome: 'skipped', problems: [], note }
  }
  const scratch = mkdtempSync(join(tmpdir(), 'gatewright-types-'))
  try {
    const config = join(scratch, 'tsconfig.json')
    writeFileSync(config, JSON.stringify(configFor(first.folder, files, compiler)))
    const args = [compiler.script, '-p', config, '--pretty', 'false']
    const child = spawn(process.execPath, args, { cwd: first.folder, stdio: ['ignore', 'pipe', 'pipe'] })
    yieldTo(child)
    const { code, output } = await endOf(child, { signal, limitMs: LIMIT_MS })
    return judge(code, output, plugins)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function judge(code: number | null, output: string, plugins: readonly PluginFolder[]): CheckResult {
  const problems = output.split('\n').flatMap((line) => problemIn(line, plugins))
  if (problems.length > 0) return { outcome: 'failed', problems }
  // What is wrong elsewhere, in a dependency, is not the plugin's.
  if (code === 0 || /\(\d+,\d+\): error/.test(output)) return { outcome: 'ok', problems }
  const note = `types are not checked: ${output.trim().split('\n')[0] ?? `the compiler ended with ${code}`}`
  return { outcome: 'skipped', problems, note }
}

function problemIn(line: string, plugins: readonly PluginFolder[]): Problem[] {
  const [, path, row, message] = /^(.+?)\((\d+),\d+\): error (.*)$/.exec(line) ?? []
  if (path === undefined) return []
  const file = resolve(plugins[0]!.folder, path)
  const place = locate(`${file}:${row}`, plugins)
  return place ? [{ stage: 'types', ...place, message: message! }] : []
}

function configFor(folder: string, files: readonly string[], { typeRoot }: Compiler): object {
  const own = configAbove(folder)
  return {
    ...(own !== undefined && { extends: own }),
    compilerOptions: {
      ...(own === undefined && DEFAULTS),
      ...OPTIONS,
      typeRoots: [typeRoot],
      ...(own === undefined && { paths: ownTypes() }),
    },
    files,
    include: [],
  }
}

/** A tsconfig.json that says where `gatewright/plugin` is, or that finds it among the packages, is the author's; another one is not used. */
function configAbove(folder: string): string | undefined {
  if (!resolvable('gatewright/package.json', folder)) return undefined
  for (let at = folder; dirname(at) !== at; at = dirname(at)) {
    const file = join(at, 'tsconfig.json')
    if (existsSync(file)) return file
  }
  return undefined
}

function ownTypes(): Record<string, string[]> {
  const built = fileURLToPath(new URL('../../../dist/src/', import.meta.url))
  const here = fileURLToPath(new URL('../../', import.meta.url))
  const [root, extension] = import.meta.url.endsWith('.js')
    ? [here, '.d.ts']
    : existsSync(built)
      ? [built, '.d.ts']
      : [here, '.ts']
  return {
    'gatewright/plugin': [`${root}plugin/api${extension}`],
    'gatewright/testing': [`${root}testing/index${extension}`],
  }
}

function findCompiler(folder: string): Compiler | undefined {
  const script = findPackage('typescript', folder)
  const types = findPackage('@types/node', folder)
  if (script === undefined || types === undefined) return undefined
  return { script: join(script, 'bin', 'tsc'), typeRoot: dirname(types) }
}

function findPackage(name: string, folder: string): string | undefined {
  const file = `${name}/package.json`
  const found = resolvable(file, folder) ?? resolvable(file, fileURLToPath(import.meta.url))
  return found === undefined ? undefined : dirname(found)
}

function resolvable(name: string, from: string): string | undefined {
  try {
    return createRequire(join(from, 'index.js')).resolve(name)
  } catch {
    // It is not installed there.
    return undefined
  }
}

function typeScriptIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.m?ts$/.test(file) && !file.includes('node_modules'))
    .map((file) => join(folder, file))
}
