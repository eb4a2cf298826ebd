/**
 * The values of a form or query by name, decoded, in the order of their first appearance; of a name that comes more than once all of
 * them. In one pass: a client may send a hundred thousand names.
 */
export function namedValues(text: string): Map<string, string | string[]> {
  const values = new Map<string, string | string[]>()
  for (const [name, value] of new URLSearchParams(text)) {
    const known = values.get(name)
    if (known === undefined) values.set(name, value)
    else if (Array.isArray(known)) known.push(value)
    else values.set(name, [known, value])
  }
  return values
}
