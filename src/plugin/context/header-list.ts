import type { Headers } from './request-context.ts'

const BEYOND_BYTES = /[^\0-\xff]/
const FORBIDDEN_IN_VALUE = /[\r\n\0]/
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/**
 * Headers as one flat array, the form Node delivers and sends. A message has a dozen lines: scanning them, with the length
 * compared first, costs less than building a map.
 */
export class HeaderList implements Headers {
  #raw: string[]

  /** Takes over `raw` (`[name, value, …]`); the caller must not use it afterwards. */
  constructor(raw: string[] = []) {
    this.#raw = raw
  }

  get(name: string): string | undefined {
    const raw = this.#raw
    for (let i = 0; i < raw.length; i += 2) {
      if (sameName(raw[i]!, name)) return raw[i + 1]
    }
    return undefined
  }

  all(name: string): string[] {
    const raw = this.#raw
    const values: string[] = []
    for (let i = 0; i < raw.length; i += 2) {
      if (sameName(raw[i]!, name)) values.push(raw[i + 1]!)
    }
    return values
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  set(name: string, value: string | readonly string[]): void {
    const values = typeof value === 'string' ? [value] : value
    for (const one of values) checkLine(name, one)
    this.remove(name.toLowerCase())
    for (const one of values) this.#raw.push(name, toBytes(one))
  }

  append(name: string, value: string): void {
    checkLine(name, value)
    this.#raw.push(name, toBytes(value))
  }

  remove(name: string): void {
    const raw = this.#raw
    let kept = 0
    for (let i = 0; i < raw.length; i += 2) {
      if (sameName(raw[i]!, name)) continue
      raw[kept] = raw[i]!
      raw[kept + 1] = raw[i + 1]!
      kept += 2
    }
    raw.length = kept
  }

  raw(): readonly string[] {
    return this.#raw
  }
}

/** Whether `written` is the header `lowerName`, without regard to case. */
export function sameName(written: string, lowerName: string): boolean {
  return written.length === lowerName.length && (written === lowerName || written.toLowerCase() === lowerName)
}

/** Lines go out with one byte for each character; text that has none for one of its characters goes as UTF-8. */
function toBytes(value: string): string {
  return BEYOND_BYTES.test(value) ? Buffer.from(value).toString('latin1') : value
}

function checkLine(name: string, value: string): void {
  if (!TOKEN.test(name))
    throw new TypeError(`header name ${JSON.stringify(name)} is not a token (RFC 9110 §5.1)`)
  if (FORBIDDEN_IN_VALUE.test(value)) {
    throw new TypeError(
      `value of header "${name}" contains a line break or NUL; remove it before setting the header`,
    )
  }
}
