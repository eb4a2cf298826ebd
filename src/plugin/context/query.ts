/**
 * The first value of a query argument, decoded, `+` as a space (contract §4.5). An argument without `=` has no value and is not
 * found; a bad percent sequence stays as it is written.
 */
export function queryArg(query: string, name: string): string | undefined {
  let start = 0
  while (start < query.length) {
    let end = query.indexOf('&', start)
    if (end === -1) end = query.length
    const equals = query.indexOf('=', start)
    if (equals !== -1 && equals < end && argName(query, start, equals) === name) {
      return decodeArg(query.slice(equals + 1, end))
    }
    start = end + 1
  }
  return undefined
}

/** As many as nginx's Lua module would read, ten times over; a body may have millions. */
const MAX_FIELDS = 1000

/** The fields of a form, decoded, the first value of each; nothing is inherited. */
export function formFields(form: string): Record<string, string> {
  const fields: Record<string, string> = Object.create(null)
  for (const part of form.split('&', MAX_FIELDS)) {
    const equals = part.indexOf('=')
    if (equals !== -1) fields[decodeArg(part.slice(0, equals))] ??= decodeArg(part.slice(equals + 1))
  }
  return fields
}

/** The query without any argument of that name; the others stay byte for byte. */
export function withoutArg(query: string, name: string): string {
  return query
    .split('&')
    .filter((part) => {
      const equals = part.indexOf('=')
      return argName(part, 0, equals === -1 ? part.length : equals) !== name
    })
    .join('&')
}

function argName(query: string, start: number, end: number): string {
  return decodeArg(query.slice(start, end))
}

function decodeArg(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  const spaced = text.replaceAll('+', ' ')
  try {
    return decodeURIComponent(spaced)
  } catch {
    // Not UTF-8 or not percent-encoding: the text itself is what a person would see in the log.
    return spaced
  }
}

/** The value of a cookie by its exact name; the first of several. */
export function cookieValue(header: string, name: string): string | undefined {
  let start = 0
  while (start < header.length) {
    let end = header.indexOf(';', start)
    if (end === -1) end = header.length
    const equals = header.indexOf('=', start)
    if (equals !== -1 && equals < end && header.slice(start, equals).trim() === name) {
      return header.slice(equals + 1, end).trim()
    }
    start = end + 1
  }
  return undefined
}
