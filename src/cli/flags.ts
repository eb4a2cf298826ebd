import { parseArgs } from 'node:util'
import { nearest } from '../lib/nearest.ts'
import { UsageError } from './command.ts'

/** A flag that takes a value: `--to URL`. */
export interface FlagSpec {
  /** One letter. */
  readonly short?: string
  /** It takes none: `--json`; its value is then `yes`. */
  readonly isSwitch?: true
}

/**
 * The values of the flags that were given. Throws {@link UsageError} for an unknown flag, naming the nearest one, for one
 * without its value, and for words that belong to no flag.
 */
export function parseFlags<Name extends string>(
  args: readonly string[],
  flags: Readonly<Record<Name, FlagSpec>>,
): Partial<Record<Name, string>> {
  const options = Object.fromEntries(
    Object.entries<FlagSpec>(flags).map(([name, { isSwitch, ...spec }]) => [
      name,
      { type: isSwitch ? ('boolean' as const) : ('string' as const), ...spec },
    ]),
  )
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const values: Partial<Record<string, string>> = {}
  for (const token of tokens) {
    if (token.kind === 'positional')
      throw new UsageError(`unexpected argument "${token.value}"; flags start with "--"`)
    if (token.kind !== 'option') continue
    if (!Object.hasOwn(options, token.name))
      throw new UsageError(unknownFlag(token.rawName, Object.keys(options)))
    if (flags[token.name as Name].isSwitch) {
      if (token.value !== undefined) throw new UsageError(`flag "${token.rawName}" takes no value`)
      values[token.name] = 'yes'
      continue
    }
    const isMissing = token.value === undefined || token.value === ''
    if (isMissing || (!token.inlineValue && token.value?.startsWith('-'))) {
      throw new UsageError(`flag "${token.rawName}" needs a value`)
    }
    values[token.name] = token.value
  }
  return values as Partial<Record<Name, string>>
}

function unknownFlag(rawName: string, names: readonly string[]): string {
  const meant = nearest(rawName.replace(/^-+/, ''), names)
  const advice = meant
    ? `did you mean "--${meant}"?`
    : `flags here: ${names.map((name) => `--${name}`).join(', ')}`
  return `unknown flag "${rawName}"; ${advice}`
}

/** The port a flag gives. Throws {@link UsageError}. */
export function toPort(flag: string, text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65535) return port
  throw new UsageError(`${flag}: "${text}" is not allowed; use a port, 0–65535`)
}
