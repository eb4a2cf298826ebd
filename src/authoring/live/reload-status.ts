import { relative } from 'node:path'
import type { CheckResult, Problem } from './check-result.ts'

export type CheckState = CheckResult['outcome'] | 'running'

/** How a save went, as the control API shows it. */
export interface ReloadStatus {
  /** `none`: nothing was saved yet. `failed`: what was saved last does not serve, what served before does. */
  readonly state: 'none' | 'checking' | 'live' | 'failed'
  /** Plugins that were saved, added or removed. */
  readonly plugins: readonly string[]
  /** ISO 8601. */
  readonly saved_at?: string
  /** From the save until it was live or given up. */
  readonly took_ms?: number
  readonly types?: CheckState
  readonly tests?: CheckState
  readonly problems: readonly Problem[]
}

/** Such as `hello is live after 312 ms (types ok, tests ok)`. */
export function liveLine({ plugins, took_ms, types, tests }: ReloadStatus): string {
  const checks = Object.entries({ types, tests }).flatMap(([name, state]) =>
    state === undefined || state === 'none' ? [] : [`${name} ${state === 'running' ? 'still run' : state}`],
  )
  const words = checks.length > 0 ? ` (${checks.join(', ')})` : ''
  return `${plugins.join(', ')} ${plugins.length === 1 ? 'is' : 'are'} live after ${took_ms} ms${words}`
}

/** One problem with its place, the paths as seen from `directory`. */
export function problemText({ stage, file, line, message }: Problem, directory: string): string {
  const place = file === undefined ? '' : `${relative(directory, file)}:${line}: `
  return `${place}${WORDS[stage]}: ${message}`
}

const WORDS = { load: 'cannot be loaded', types: 'a type is wrong', tests: 'a test fails' } as const
