import { TokenReader } from './parse-expression.ts'
import type { Branch, Expression, Part } from './syntax.ts'
import { TemplateError } from './template-error.ts'
import { tokenize } from './tokens.ts'

const TAG =
  /\{\{([\s\S]*?)\}\}|\{\*([\s\S]*?)\*\}|\{%([\s\S]*?)%\}(\n?)|\{#([\s\S]*?)#\}|\{-raw-\}([\s\S]*?)\{-raw-\}|\{(\(|\[)/g
const MAX_DEPTH = 50

/** An open `for` or `if`, until its `end`. */
interface Block {
  readonly parts: Part[]
  close(): void
  /** `elseif` and `else`; absent in a loop. */
  branch?(when: Expression | undefined): void
}

/**
 * Reads a template in the language of lua-resty-template: `{{x}}` escaped, `{*x*}` as it is, `{% … %}` with `if`, `for`, `local` and
 * assignments, `{# … #}` comments. Throws {@link TemplateError}.
 */
export function parseTemplate(text: string): readonly Part[] {
  const whole: Part[] = []
  const open: Block[] = [{ parts: whole, close: () => {} }]
  let at = 0
  for (const match of text.matchAll(TAG)) {
    const { parts } = open.at(-1)!
    const [tag, escaped, raw, code, , , verbatim, include] = match
    addText(parts, text.slice(at, match.index))
    at = match.index + tag.length
    if (include !== undefined) {
      if (!isInclude(text, match.index)) at = match.index + 1
      if (at === match.index + 1) addText(parts, '{')
      else throw new TemplateError(`templates cannot include others: ${tag}`)
    } else if (escaped !== undefined) parts.push(output(escaped, true))
    else if (raw !== undefined) parts.push(output(raw, false))
    else if (verbatim !== undefined) addText(parts, verbatim)
    else if (code !== undefined) statement(code, open)
  }
  addText(open.at(-1)!.parts, text.slice(at))
  if (open.length > 1) throw new TemplateError("'end' expected near the end")
  return whole
}

/** `{(file)}` and `{[expression]}`, in place of a brace that is followed by one of these by chance, as in JSON. */
function isInclude(text: string, at: number): boolean {
  return /^\{(?:\([\w./-]+\)|\[[\w."'/-]+\])\}/.test(text.slice(at, at + 200))
}

function addText(parts: Part[], text: string): void {
  if (text !== '') parts.push({ type: 'text', text })
}

function output(code: string, isEscaped: boolean): Part {
  const reader = new TokenReader(tokenize(code))
  const value = reader.expression()
  reader.expectEnd()
  return { type: 'output', value, isEscaped }
}

/** One tag may hold several statements: `local x = 1 if x then`. */
function statement(code: string, open: Block[]): void {
  const reader = new TokenReader(tokenize(code))
  while (!reader.isAtEnd) {
    if (open.length > MAX_DEPTH) throw new TemplateError('blocks are nested too deeply')
    const block = open.at(-1)!
    if (reader.take('if')) openIf(reader, open)
    else if (reader.take('for')) openFor(reader, open)
    else if (reader.take('elseif')) {
      const when = reader.expression()
      reader.expect('then')
      branch(block, when)
    } else if (reader.take('else')) branch(block, undefined)
    else if (reader.take('end')) {
      if (open.length === 1) throw new TemplateError("'end' without a block")
      open.pop()
      block.close()
    } else block.parts.push(assignment(reader))
  }
}

function branch(block: Block, when: Expression | undefined): void {
  if (!block.branch) throw new TemplateError("'else' without an 'if'")
  block.branch(when)
}

function assignment(reader: TokenReader): Part {
  const isLocal = reader.take('local')
  const name = reader.name()
  reader.expect('=')
  return { type: 'set', name, value: reader.expression(), isLocal }
}

function openIf(reader: TokenReader, open: Block[]): void {
  const outer = open.at(-1)!.parts
  const branches: Branch[] = []
  const parts: Part[] = []
  let when: Expression | undefined = reader.expression()
  reader.expect('then')
  const finish = () => branches.push({ when, body: parts.splice(0) })
  open.push({
    parts,
    close() {
      finish()
      outer.push({ type: 'if', branches })
    },
    branch(next) {
      if (when === undefined) throw new TemplateError("nothing follows 'else' but 'end'")
      finish()
      when = next
    },
  })
}

function openFor(reader: TokenReader, open: Block[]): void {
  const outer = open.at(-1)!.parts
  const body: Part[] = []
  const name = reader.name()
  if (reader.take('=')) {
    const from = reader.expression()
    reader.expect(',')
    const to = reader.expression()
    const step = reader.take(',') ? reader.expression() : undefined
    open.push({ parts: body, close: () => outer.push({ type: 'count', name, from, to, step, body }) })
  } else {
    const names = [name]
    while (reader.take(',')) names.push(reader.name())
    reader.expect('in')
    const of = reader.expression()
    open.push({ parts: body, close: () => outer.push({ type: 'each', names, of, body }) })
  }
  reader.expect('do')
}
