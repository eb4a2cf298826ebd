import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { PluginFolder } from '../plugin-folders.ts'
import { type CheckResult, endOf, locate, yieldTo } from './check-result.ts'

const LIMIT_MS = 60_000
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
const SHOWN_LINES = 20
/** What a reader of a failed test does not need: frames of a stack, fields of the error, blank lines. */
const NOISE =
  /^\s*(?:at .*|(?:generatedMessage|code|actual|expected|operator|diff): .*|\}|failing tests:|test at .*)?$/

/**
 * Runs the tests of plugins in a process of their own, which is there before they are to be run: most of a short test's time goes into loading
 * what it tests with.
 */
export class TestProcess {
  #waiting: ChildProcess | undefined
  #isClosed = false

  /** Starts the next one, unless it is there. */
  warm(): void {
    if (this.#waiting || this.#isClosed) return
    const script = fileURLToPath(new URL(`run-tests${EXTENSION}`, import.meta.url))
    const register = new URL(`../register${EXTENSION}`, import.meta.url).href
    const args = [...process.execArgv, '--import', register, '--test-reporter=spec', script]
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // It is no part of a test run that this process may belong to.
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_UNIQUE_ID: undefined, FORCE_COLOR: '0' },
    })
    yieldTo(child)
    // One that cannot be started or dies is found out when it is needed.
    child.on('error', () => undefined)
    this.#waiting = child
  }

  /** Runs these files. */
  async run(
    files: readonly string[],
    plugins: readonly PluginFolder[],
    signal: AbortSignal,
  ): Promise<CheckResult> {
    if (files.length === 0) return { outcome: 'none', problems: [] }
    this.warm()
    const child = this.#waiting!
    this.#waiting = undefined
    // Whether it could be told shows in how it ends.
    child.send(files, () => undefined)
    const { code, output } = await endOf(child, { signal, limitMs: LIMIT_MS })
    if (code === 0) return { outcome: 'ok', problems: [] }
    const text = output.slice(Math.max(0, output.indexOf('failing tests:')))
    const message = text.split('\n').filter(isTelling).slice(0, SHOWN_LINES).join('\n')
    return { outcome: 'failed', problems: [{ stage: 'tests', ...locate(text, plugins), message }] }
  }

  close(): void {
    this.#isClosed = true
    this.#waiting?.kill('SIGKILL')
    this.#waiting = undefined
  }
}

function isTelling(line: string): boolean {
  return !NOISE.test(line)
}
