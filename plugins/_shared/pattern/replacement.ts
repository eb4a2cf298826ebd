/** A piece of a replacement: literal text, or the number of a capture (0 is the whole match). */
export type ReplacementPart = string | number

const REFERENCE = /\$(?:(\$)|(\d+)|\{(\d+)\})?/g

/**
 * Takes the replacement of a pattern apart: `$1`, `${1}`, `$0` and `$$` as in ngx.re.sub. Throws an Error for a `$` before
 * anything else.
 */
export function parseReplacement(text: string): ReplacementPart[] {
  const parts: ReplacementPart[] = []
  let literal = ''
  let end = 0
  for (const match of text.matchAll(REFERENCE)) {
    const [whole, dollar, plain, braced] = match
    literal += text.slice(end, match.index) + (dollar ?? '')
    end = match.index + whole.length
    if (dollar !== undefined) continue
    const number = plain ?? braced
    if (number === undefined) {
      throw new Error(
        `"$" at position ${match.index + 1} of ${JSON.stringify(text)} names no capture; write $1, \${1} or $$`,
      )
    }
    if (literal !== '') parts.push(literal)
    literal = ''
    parts.push(Number(number))
  }
  literal += text.slice(end)
  if (literal !== '') parts.push(literal)
  return parts
}

/** The text that takes the place of `match`; a capture that took no part is empty. */
export function fillReplacement(
  parts: readonly ReplacementPart[],
  match: readonly (string | undefined)[],
): string {
  let text = ''
  for (const part of parts) text += typeof part === 'string' ? part : (match[part] ?? '')
  return text
}
