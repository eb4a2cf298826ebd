import { LineCounter, parseDocument } from 'yaml'

/** Many references to one anchor are usual in configuration files; an unbounded expansion is not. */
export const MAX_ALIASES = 10_000

/** Reads YAML with merge keys. Throws an Error that shows no part of the text, which may hold secrets. */
export function parseYaml(text: string): unknown {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { merge: true, prettyErrors: false, logLevel: 'error', lineCounter })
  const [error] = document.errors
  if (error) throw notYaml(error, ` (line ${lineCounter.linePos(error.pos[0]).line})`)
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (unresolved) {
    throw notYaml(unresolved as Error, '')
  }
}

/** Behind a colon the parser quotes the text, and the text may hold secrets. */
function notYaml(error: Error, place: string): Error {
  return new Error(`it is not valid YAML${place}: ${error.message.split(':')[0]}`)
}
