import type { ChildProcess } from 'node:child_process'
import { constants, setPriority } from 'node:os'
import type { PluginFolder } from '../plugin-folders.ts'
import { isWithin } from './file-states.ts'

/** What is wrong with a plugin that was saved, for people. */
export interface Problem {
  readonly stage: 'load' | 'types' | 'tests'
  /** Where, as far as that is known: a path and a line from 1. */
  readonly file?: string
  readonly line?: number
  readonly message: string
}

export interface CheckResult {
  /** `none`: there is nothing to check. `skipped`: there is no tool for it. */
  readonly outcome: 'ok' | 'failed' | 'skipped' | 'none'
  readonly problems: readonly Problem[]
  /** Why it was skipped. */
  readonly note?: string
}

/** Of what a check prints; more than that nobody reads. */
const MAX_OUTPUT = 200_000
const PLACE = /(?:file:\/\/)?((?:[A-Za-z]:)?[/\\][^\s:()'"]+\.[cm]?[jt]s):(\d+)/g

/** The first place in a text, such as a stack, that lies in one of the plugins. */
export function locate(
  text: string,
  plugins: readonly Pick<PluginFolder, 'folder'>[],
): { readonly file: string; readonly line: number } | undefined {
  for (const [, file, line] of text.matchAll(PLACE)) {
    if (plugins.some(({ folder }) => isWithin(file!, folder))) return { file: file!, line: Number(line) }
  }
  return undefined
}

/** Lets the worker that is to serve come first. */
export function yieldTo({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // It has ended, or the system does not allow it: then it takes its turn as all do.
  }
}

export interface EndLimits {
  /** Kills the process. */
  readonly signal: AbortSignal
  readonly limitMs: number
}

/** Resolves when the process has ended, with all that it printed. One that takes longer is killed. Rejects when `signal` is aborted. */
export async function endOf(
  child: ChildProcess,
  { signal, limitMs }: EndLimits,
): Promise<{ readonly code: number | null; readonly output: string }> {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      if (output.length < MAX_OUTPUT) output += chunk
    })
  }
  const kill = () => void child.kill('SIGKILL')
  const timer = setTimeout(kill, limitMs)
  signal.addEventListener('abort', kill, { once: true })
  if (signal.aborted) kill()
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    signal.throwIfAborted()
    if (code === null) output += `\nit did not end within ${limitMs} ms`
    return { code, output }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', kill)
  }
}
