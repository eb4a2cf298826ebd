import type { TimeSlices } from './time-slices.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const OPENING = new Set([0x5b, 0x7b])
const CLOSING = new Set([0x5d, 0x7d])
const BLANKS = new Set([0x20, 0x09, 0x0a, 0x0d])

/**
 * What `JSON.parse` makes of an object, member by member and list element by list element, so that a large document of many small
 * parts does not hold the event loop. Of members with one name the last counts. Throws a SyntaxError when the text is no JSON object.
 */
export async function parseJsonLists(text: string, slices: TimeSlices): Promise<Map<string, unknown>> {
  const scanner = new Scanner(text)
  const members = new Map<string, unknown>()
  scanner.expect('{')
  if (!scanner.takes('}')) {
    do {
      const name = scanner.value()
      if (typeof name !== 'string') throw new SyntaxError('a name is no text')
      scanner.expect(':')
      members.set(name, scanner.takes('[') ? await restOfList(scanner, slices) : scanner.value())
      await slices.pause()
    } while (scanner.takes(','))
    scanner.expect('}')
  }
  scanner.expectEnd()
  return members
}

async function restOfList(scanner: Scanner, slices: TimeSlices): Promise<unknown[]> {
  const elements: unknown[] = []
  if (scanner.takes(']')) return elements
  do {
    elements.push(scanner.value())
    const pause = slices.pause()
    if (pause) await pause
  } while (scanner.takes(','))
  scanner.expect(']')
  return elements
}

/** Finds where values end; what stands inside them is left to `JSON.parse`. */
class Scanner {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Whether the next sign is this one, which is then passed. */
  takes(sign: string): boolean {
    this.#passBlanks()
    if (this.#text[this.#at] !== sign) return false
    this.#at++
    return true
  }

  expect(sign: string): void {
    if (!this.takes(sign)) throw new SyntaxError(`no ${sign} at position ${this.#at}`)
  }

  expectEnd(): void {
    this.#passBlanks()
    if (this.#at < this.#text.length) throw new SyntaxError(`more text at position ${this.#at}`)
  }

  value(): unknown {
    const end = this.#endOfValue()
    const value: unknown = JSON.parse(this.#text.slice(this.#at, end))
    this.#at = end
    return value
  }

  #passBlanks(): void {
    while (BLANKS.has(this.#text.charCodeAt(this.#at))) this.#at++
  }

  #endOfValue(): number {
    const text = this.#text
    let depth = 0
    this.#passBlanks()
    for (let at = this.#at; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === QUOTE) {
        at = this.#closingQuote(at)
        if (depth === 0) return at + 1
      } else if (OPENING.has(code)) {
        depth++
      } else if (CLOSING.has(code)) {
        if (depth <= 1) return at + depth
        depth--
      } else if (depth === 0 && code === COMMA) {
        return at
      }
    }
    return text.length
  }

  #closingQuote(opening: number): number {
    for (let at = this.#text.indexOf('"', opening + 1); at !== -1; at = this.#text.indexOf('"', at + 1)) {
      let backslashes = 0
      while (this.#text[at - 1 - backslashes] === '\\') backslashes++
      if (backslashes % 2 === 0) return at
    }
    return this.#text.length
  }
}
