const NOT_SENDABLE = /[^\t\x20-\x7e\x80-\xff]/
const CONTROLS = /[^\t\x20-\x7e\x80-\u{10ffff}]+/gu
const WIDE = /[\u0100-\u{10ffff}]/u

/**
 * A text as it may stand in a header: control characters, line breaks among them, become one space, so that a value taken from a
 * request cannot add a line; characters beyond Latin-1 go as the bytes of their UTF-8 form.
 */
export function toHeaderValue(text: string): string {
  if (!NOT_SENDABLE.test(text)) return text
  const clean = text.replace(CONTROLS, ' ')
  return WIDE.test(clean) ? Buffer.from(clean, 'utf8').toString('latin1') : clean
}

/** Whether a text from the configuration may be a header's value. */
export function isHeaderValue(text: string): boolean {
  return !/[^\t\x20-\x7e\x80-\u{10ffff}]/u.test(text)
}

/** RFC 9110 §5.6.2. */
export function isHeaderName(text: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text)
}
