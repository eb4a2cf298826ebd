import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { FlagSpec } from './flags.ts'

/** The flag that names the settings file. */
export const CONFIG_FLAG = { config: { short: 'c' } } as const satisfies Record<string, FlagSpec>

/** The file that was named; else `config.yaml` in the working directory if it is there; else none. */
export function settingsFile(named: string | undefined, workingDirectory: string): string | undefined {
  if (named !== undefined) return named
  return existsSync(resolve(workingDirectory, 'config.yaml')) ? 'config.yaml' : undefined
}
