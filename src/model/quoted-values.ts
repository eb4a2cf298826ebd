/** Messages that quote a value of the document, which may be a secret. */
const QUOTING: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/^(.*failed to match pattern ".*?") with ".*$/s, '$1 with a value that is not shown'],
  [/invalid plugin conf .* for plugin \[/s, 'invalid plugin conf for plugin ['],
]

/** A message of contract §3.1 or §1.7 without the value that it quotes: for whoever is not the sender of the document. */
export function withoutQuotedValues(message: string): string {
  return QUOTING.reduce((told, [pattern, replacement]) => told.replace(pattern, replacement), message)
}
