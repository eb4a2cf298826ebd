import type { HeaderList } from '../plugin/context/header-list.ts'

/** What is about the client's connection. None of it came from the node, whose own was dropped with its head. */
const OF_CONNECTION = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
] as const
const FRAMING: ReadonlySet<string> = new Set<string>(['content-length', ...OF_CONNECTION])
/** Asked before a name is folded to lower case, as in headers.ts. */
const LENGTHS: readonly boolean[] = Array.from({ length: 32 }, (_, length) =>
  [...FRAMING].some((name) => name.length === length),
)

/**
 * Takes back what plugins have written over the framing of a node's response: a second length, or one that is not the body's, would
 * let what follows on the connection be read as another answer. `length` is what `Content-Length` was before they ran. A plugin
 * may end the connection (`Connection: close`).
 */
export function keepFraming(headers: HeaderList, length: string | undefined): void {
  if (!hasForeignFraming(headers.raw(), length)) return
  const isClosing = headers.all('connection').some((value) => value.trim().toLowerCase() === 'close')
  for (const name of OF_CONNECTION) headers.remove(name)
  if (isClosing) headers.set('Connection', 'close')
  const lengths = headers.all('content-length')
  headers.remove('content-length')
  // Replaced by another one it is gone: the body goes in chunks.
  if (length !== undefined && lengths.includes(length)) headers.set('Content-Length', length)
}

function hasForeignFraming(raw: readonly string[], length: string | undefined): boolean {
  let lengths = 0
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    if (LENGTHS[name.length] !== true || !FRAMING.has(name.toLowerCase())) continue
    if (name.length !== 'content-length'.length || raw[i + 1] !== length) return true
    lengths += 1
  }
  return lengths > 1
}
