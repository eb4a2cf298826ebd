type Value = string | true

/**
 * The arguments of a query as nginx reads them: decoded, `+` as a space, one without `=` is `true`, several of one name are an array.
 * The result has no prototype, so that every name is one like any other.
 */
export function parseArgs(query: string): Record<string, Value | Value[]> {
  const args: Record<string, Value | Value[]> = Object.create(null)
  for (const part of query.split('&')) {
    if (part === '' || part.startsWith('=')) continue
    const equals = part.indexOf('=')
    const name = decode(equals === -1 ? part : part.slice(0, equals))
    const value = equals === -1 ? true : decode(part.slice(equals + 1))
    const known = args[name]
    if (known === undefined) args[name] = value
    else if (Array.isArray(known)) known.push(value)
    else args[name] = [known, value]
  }
  return args
}

const SEQUENCES = /(?:%[0-9A-Fa-f]{2})+/g

/** A bad sequence stays as it is written; the others beside it are decoded, as nginx does. */
function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  return text
    .replaceAll('+', ' ')
    .replace(SEQUENCES, (sequences) => Buffer.from(sequences.replaceAll('%', ''), 'hex').toString('utf8'))
}
