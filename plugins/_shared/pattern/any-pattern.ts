import { ConfigError } from '../../../src/plugin/api.ts'
import { compilePattern } from './pattern.ts'

/** Whether one of the patterns matches somewhere in the text. */
export type MatchesAny = (text: string) => boolean

/**
 * Compiles the patterns of a list; `attribute` is where they stand in the configuration, `options` are those of ngx.re. Throws a
 * {@link ConfigError} with the place, the pattern and the reason for one that cannot be used.
 */
export function compileAny(sources: readonly string[], attribute: string, options = ''): MatchesAny {
  const patterns = sources.map((source, i) => {
    try {
      return compilePattern(source, options)
    } catch (error) {
      throw new ConfigError(`${attribute}[${i}] ${JSON.stringify(source)}: ${(error as Error).message}`)
    }
  })
  return (text) => patterns.some((pattern) => pattern.test(text))
}
