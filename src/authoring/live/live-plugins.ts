import { existsSync } from 'node:fs'
import { findPlugins, type PluginFolder, testFilesOf } from '../plugin-folders.ts'
import { type CheckResult, locate, type Problem } from './check-result.ts'
import { differences, type FileStates, isWithin, readFileStates } from './file-states.ts'
import { liveLine, problemText, type ReloadStatus } from './reload-status.ts'
import { TestProcess } from './test-process.ts'
import { checkTypes } from './type-check.ts'
import { FolderWatch } from './watch-folders.ts'

export interface LivePluginsOptions {
  /** Folders of plugins; they may appear later. */
  readonly paths: readonly string[]
  readonly workingDirectory: string
  /**
   * Loads all plugins as they are now in a fresh worker, which takes over when `gate` resolves. Rejects, and what served serves on, when they
   * cannot be loaded or the gate rejects.
   */
  reload(gate: () => Promise<void>): Promise<void>
  /** One line for the terminal. */
  note(line: string): void
  /** How long a save waits for its checks, in ms; 700 when absent. What still runs then tells later what it finds. */
  readonly budgetMs?: number
}

/** The swap itself fits into the rest of a second. */
const BUDGET_MS = 700

/** A check has found something. */
class ChecksFailed extends Error {
  override readonly name = 'ChecksFailed'
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super(problems.map(({ message }) => message).join('\n'))
    this.problems = problems
  }
}

/** One save on its way. */
interface Turn {
  readonly startedMs: number
  readonly states: FileStates
  /** Those that were saved and are there. */
  readonly plugins: readonly PluginFolder[]
  /** Aborted when a newer save makes it pointless. */
  readonly cancel: AbortController
}

/** Takes what is saved in the folders of plugins live: checked, then swapped. One save at a time; a newer one calls off what is under way. */
export class LivePlugins {
  readonly #options: LivePluginsOptions
  readonly #tests = new TestProcess()
  readonly #told = new Set<string>()
  #watch: FolderWatch | undefined
  /** The files as they serve, and as they were when they were last taken up. */
  #live: FileStates
  #tried: FileStates
  #cancel: AbortController | undefined
  #running: Promise<void> = Promise.resolve()
  #isDue = false
  #isClosed = false
  #status: ReloadStatus = { state: 'none', plugins: [], problems: [] }

  /** To be made before the plugins are first loaded: what is saved from now on counts as new. */
  constructor(options: LivePluginsOptions) {
    this.#options = options
    this.#live = readFileStates(options.paths)
    this.#tried = this.#live
  }

  start(): void {
    this.#watch = new FolderWatch(this.#options.paths, () => this.#onChange())
    if (this.#tryToFind().flatMap(testFilesOf).length > 0) this.#tests.warm()
    this.#onChange()
  }

  status(): ReloadStatus {
    return this.#status
  }

  /** Resolves when nothing runs any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#watch?.close()
    this.#cancel?.abort()
    this.#tests.close()
    await this.#running
  }

  #onChange(): void {
    if (differences(this.#tried, readFileStates(this.#options.paths)).length === 0) return
    this.#cancel?.abort()
    if (this.#isDue) return
    this.#isDue = true
    const startedMs = performance.now()
    this.#running = this.#running.then(() => {
      this.#isDue = false
      return this.#isClosed ? undefined : this.#take(startedMs)
    })
  }

  /** Never rejects. */
  async #take(startedMs: number): Promise<void> {
    const states = readFileStates(this.#options.paths)
    this.#tried = states
    const names = this.#namesOf(differences(this.#live, states))
    if (names.length === 0) return this.#set({ state: 'live', problems: [] })
    this.#status = { state: 'checking', plugins: names, saved_at: new Date().toISOString(), problems: [] }
    const cancel = new AbortController()
    this.#cancel = cancel
    try {
      const plugins = this.#find().filter(({ name }) => names.includes(name))
      await this.#goLive({ startedMs, states, plugins, cancel })
    } catch (error) {
      if (!cancel.signal.aborted) this.#fail(error, startedMs)
    } finally {
      // What still checks a save that was given up.
      cancel.abort()
    }
    if (this.#tryToFind().flatMap(testFilesOf).length > 0) this.#tests.warm()
  }

  async #goLive(turn: Turn): Promise<void> {
    const { cancel, startedMs } = turn
    const checks = this.#check(turn)
    // Its failure is looked at below, perhaps much later.
    checks.catch(() => undefined)
    let timer: NodeJS.Timeout | undefined
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, startedMs + (this.#options.budgetMs ?? BUDGET_MS) - performance.now())
    })
    const cancelled = new Promise<void>((_, reject) => {
      cancel.signal.addEventListener('abort', () => reject(cancel.signal.reason), { once: true })
    })
    cancelled.catch(() => undefined)
    try {
      await this.#options.reload(() => Promise.race([checks, enough, cancelled]))
    } finally {
      clearTimeout(timer)
    }
    this.#live = turn.states
    this.#set({ state: 'live', took_ms: since(startedMs) })
    this.#options.note(liveLine(this.#status))
    await checks
  }

  /** Rejects with the first problem. */
  async #check({ plugins, cancel: { signal } }: Turn): Promise<void> {
    this.#set({ types: 'running', tests: 'running' })
    await Promise.all([
      this.#note('types', checkTypes(plugins, signal)),
      this.#note('tests', this.#tests.run(plugins.flatMap(testFilesOf), plugins, signal)),
    ])
  }

  async #note(name: 'types' | 'tests', work: Promise<CheckResult>): Promise<void> {
    const { outcome, problems, note } = await work
    this.#set({ [name]: outcome })
    if (note !== undefined && !this.#told.has(note)) {
      this.#told.add(note)
      this.#options.note(note)
    }
    if (problems.length > 0) throw new ChecksFailed(problems)
  }

  #fail(error: unknown, startedMs: number): void {
    const problems = error instanceof ChecksFailed ? error.problems : [this.#loadProblem(error)]
    const { note, workingDirectory } = this.#options
    for (const problem of problems) note(problemText(problem, workingDirectory))
    // A check that took its time found it in what serves by now.
    if (this.#status.state === 'live') {
      this.#set({ problems })
      return
    }
    this.#set({ state: 'failed', took_ms: since(startedMs), problems })
    note('nothing was changed: what served before serves on')
  }

  #loadProblem(error: unknown): Problem {
    const message = error instanceof Error ? error.message : String(error)
    const folders = this.#options.paths.map((folder) => ({ folder }))
    return { stage: 'load', ...locate(message, folders), message }
  }

  #set(change: Partial<ReloadStatus>): void {
    this.#status = { ...this.#status, ...change }
  }

  /** The plugins that a change of these files concerns: all when it lies in what they share. */
  #namesOf(files: readonly string[]): string[] {
    const names = new Set<string>()
    for (const file of files) {
      const path = this.#options.paths.find((one) => isWithin(file, one))!
      const [name, ...rest] = file.slice(path.length + 1).split(/[/\\]/)
      if (rest.length > 0 && !name!.startsWith('_')) names.add(name!)
      else for (const plugin of this.#tryToFind()) names.add(plugin.name)
    }
    return [...names].sort()
  }

  /** Throws a {@link PluginFolderError} when a folder cannot be used. */
  #find(): PluginFolder[] {
    return [...findPlugins(this.#options.paths.filter((path) => existsSync(path))).values()]
  }

  #tryToFind(): PluginFolder[] {
    try {
      return this.#find()
    } catch {
      // The reload that this is about says what is wrong.
      return []
    }
  }
}

function since(startedMs: number): number {
  return Math.round(performance.now() - startedMs)
}
