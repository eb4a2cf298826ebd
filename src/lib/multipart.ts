/** A part of a form (RFC 7578). */
export interface FormPart {
  readonly name: string
  readonly filename: string | undefined
  readonly value: string
}

const MAX_PARTS = 1000

/** The parts of a `multipart/form-data` body that have a name; `undefined` when it is not what its content type says. */
export function parseMultipart(body: Buffer, contentType: string | undefined): FormPart[] | undefined {
  const match = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;]{1,70}))/i.exec(contentType ?? '')
  const boundary = match?.[1] ?? match?.[2]
  if (boundary === undefined) return undefined
  // Latin-1 keeps every byte; the values are read as UTF-8 afterwards.
  const pieces = `\r\n${body.toString('latin1')}`.split(`\r\n--${boundary}`)
  if (pieces.length < 2 || !pieces.at(-1)!.startsWith('--')) return undefined
  return pieces
    .slice(1, -1)
    .slice(0, MAX_PARTS)
    .flatMap((piece) => toPart(piece) ?? [])
}

function toPart(piece: string): FormPart | undefined {
  const end = piece.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const disposition = /^content-disposition:(.*)$/im.exec(piece.slice(0, end))?.[1] ?? ''
  const name = parameter(disposition, 'name')
  if (name === undefined) return undefined
  return { name, filename: parameter(disposition, 'filename'), value: utf8(piece.slice(end + 4)) }
}

function parameter(header: string, name: string): string | undefined {
  const value = new RegExp(`;\\s*${name}="([^"]*)"`, 'i').exec(header)?.[1]
  return value === undefined ? undefined : utf8(value)
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString()
}
