import { LineCounter, parseDocument } from 'yaml'

/** Many references to one anchor are usual in configuration files; an unbounded expansion is not. */
export const MAX_ALIASES = 10_000

/** Reads YAML with merge keys. Throws an Error that shows no part of the text, which may hold secrets. */
export function parseYaml(text: string): unknown {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { merge: true, prettyErrors: false, logLevel: 'error', lineCounter })
  const [error] = document.errors
  if (error) throw notYaml(error.message, lineCounter.linePos(error.pos[0]).line)
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (unresolved) {
    throw notYaml((unresolved as Error).message)
  }
}

/** The error for a text that is not YAML. Of the parser's message the part before a colon: behind it, it quotes the text. */
export function notYaml(message: string, line?: number): Error {
  const place = line === undefined ? '' : ` (line ${line})`
  return new Error(`it is not valid YAML${place}: ${message.split(':')[0]}`)
}
