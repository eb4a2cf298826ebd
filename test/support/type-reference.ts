import { readFileSync } from 'node:fs'
import { type Comment, parseSync } from 'oxc-parser'

/** An exported interface and what its doc comments say. */
export interface DocumentedType {
  readonly name: string
  readonly says: string
  readonly members: readonly DocumentedMember[]
}

export interface DocumentedMember {
  /** As written, without `readonly`: `arg(name: string): string | undefined`. */
  readonly signature: string
  readonly says: string
}

interface AstNode {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

/** The exported interfaces of a source file, in the order they stand there. */
export function documentedTypes(path: string): DocumentedType[] {
  const text = readFileSync(path, 'utf8')
  const { program, comments } = parseSync(path, text)
  const source = { text, comments: comments.filter(({ value }) => value.startsWith('*')) }
  return (program.body as unknown as AstNode[]).flatMap((statement) => {
    const declared = statement['declaration'] as AstNode | null | undefined
    if (statement.type !== 'ExportNamedDeclaration' || declared?.type !== 'TSInterfaceDeclaration') return []
    const members = (declared['body'] as { body: AstNode[] }).body
    return {
      name: (declared['id'] as { name: string }).name,
      says: commentBefore(source, statement.start),
      members: members.map((member) => ({
        signature: signatureOf(source.text.slice(member.start, member.end)),
        says: commentBefore(source, member.start),
      })),
    }
  })
}

/** A section for each type: what it is for, and a table of its members. */
export function renderTypes(types: readonly DocumentedType[]): string {
  return types
    .map(({ name, says, members }) =>
      [
        `## ${name}`,
        '',
        ...(says === '' ? [] : [says, '']),
        '| | |',
        '|---|---|',
        ...members.map(
          ({ signature, says: what }) =>
            `| \`${signature.replaceAll('|', '\\|')}\` | ${what.replaceAll('|', '\\|')} |`,
        ),
      ].join('\n'),
    )
    .join('\n\n')
}

function signatureOf(text: string): string {
  return text
    .replace(/^readonly /, '')
    .replaceAll(/\/\*\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

/** The doc comment that ends right before `position`, as one paragraph; links to other types become code. */
function commentBefore(
  { text, comments }: { text: string; comments: readonly Comment[] },
  position: number,
): string {
  const comment = comments.findLast(({ end }) => end <= position)
  if (!comment || text.slice(comment.end, position).trim() !== '') return ''
  return (
    comment.value
      .replaceAll(/^\s*\*+ ?/gm, '')
      // Sections of a document that readers do not have.
      .replaceAll(/ ?\([^()]*contract §[^()]*\)| of contract §[\d.]+/g, '')
      .replaceAll(/\{@link ([^}]+)\}/g, '`$1`')
      .replaceAll(/\s+/g, ' ')
      .trim()
  )
}
