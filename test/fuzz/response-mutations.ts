import type { Random } from './mutations.ts'

const pick = <T>(values: readonly T[], random: Random): T => values[Math.floor(random() * values.length)]!

const OK = 'HTTP/1.1 200 OK\r\n'
const EVIL = `${OK}Content-Length: 4\r\n\r\nevil`

/** Responses that everyone reads alike, with the name of their request in the body. */
export const SOUND_RESPONSES: readonly ((name: string) => string)[] = [
  (name) => `${OK}Content-Length: ${name.length}\r\n\r\n${name}`,
  (name) =>
    `${OK}Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n${chunk(name)}${chunk('+more')}0\r\n\r\n`,
  (name) => `${OK}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n${chunk(name)}0\r\nX-Sum: 1\r\n\r\n`,
  (name) => `${OK}Connection: close\r\n\r\n${name}`,
  () => 'HTTP/1.1 204 No Content\r\n\r\n',
  (name) => `HTTP/1.1 304 Not Modified\r\nETag: "${name}"\r\n\r\n`,
  (name) =>
    `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}Content-Length: ${name.length}\r\n\r\n${name}`,
  (name) => `HTTP/1.1 404 Not Found\r\nContent-Length: ${name.length}\r\n\r\n${name}`,
]

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`
}

const LINES = [
  'Content-Length: 3',
  'Content-Length: 300',
  'Content-Length: +5',
  'Content-Length: 5, 5',
  'Content-Length: ',
  'Content-Length : 5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding:\tchunked',
  'Transfer-Encoding : chunked',
  ' folded',
  '\tfolded: 1',
  'X: a\rb',
  'X: a\nTransfer-Encoding: chunked',
  'X: \0',
  'X: \x7f',
  'X',
  ': x',
  'X y: 1',
  'Connection: close',
  'Connection: upgrade\r\nUpgrade: websocket',
  `X: ${'a'.repeat(20_000)}`,
  `X: ${'a'.repeat(300_000)}`,
  Array.from({ length: 5000 }, (_, n) => `X-${n}: 1`).join('\r\n'),
] as const

type Mutation = (text: string, random: Random) => string

const MUTATIONS: readonly Mutation[] = [
  // One more header line, at a random place in the head.
  (text, random) => {
    const lines = text.split('\r\n')
    lines.splice(1 + Math.floor(random() * Math.max(1, lines.indexOf(''))), 0, pick(LINES, random))
    return lines.join('\r\n')
  },
  // One line end that is none.
  (text, random) => {
    const parts = text.split('\r\n')
    const at = 1 + Math.floor(random() * (parts.length - 1))
    const end = pick(['\n', '\r', '\r\r\n', '\n\r\n', ' \r\n'], random)
    return parts.slice(0, at).join('\r\n') + end + parts.slice(at).join('\r\n')
  },
  // One byte changed, dropped or doubled.
  (text, random) => {
    const at = Math.floor(random() * text.length)
    const byte = pick(['\0', ' ', '\t', ':', '\x7f', '\xff', '0', 'f', ';'], random)
    return text.slice(0, at) + pick(['', byte, text[at]! + text[at]!], random) + text.slice(at + 1)
  },
  // A size that says something else.
  (text, random) =>
    text.replace(
      /\r\n([0-9a-f]+)\r\n/,
      (_all, size: string) =>
        `\r\n${pick([`0${size}`, `${size};x=y`, `+${size}`, `${size} `, `0x${size}`, 'ffffffffffffffff', '-1', `${size}0`, '1', ''], random)}\r\n`,
    ),
  // A status line that says something else.
  (text, random) =>
    text.replace(/^HTTP\/1\.1 \d+/, () =>
      pick(
        [
          'HTTP/1.0 200',
          'HTTP/1.1  200',
          'HTTP/1.1 20',
          'HTTP/1.1 2000',
          'HTTP/2.0 200',
          'HTTP/1.1 101',
          'HTTP/1.1 100',
          'http/1.1 200',
          'HTTP/1.1 -1',
          'ICY 200',
        ],
        random,
      ),
    ),
  // Cut off somewhere.
  (text, random) => text.slice(0, Math.floor(random() * text.length)),
  // A second response, or a body where there is none.
  (text) => text + EVIL,
  (text) => `${text}evil`,
  // Interim responses, a few or too many.
  (text, random) => 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(pick([1, 3, 500], random)) + text,
]

/** What a node answers to one request, and how it gets there. */
export interface MutatedResponse {
  readonly bytes: string
  readonly isMutated: boolean
  /** Where it is cut into pieces that are written one after the other. */
  readonly cuts: readonly number[]
  /** The node closes right behind it. */
  readonly closes: boolean
}

/** A response with `name` in its body and up to three mutations. */
export function makeResponse(random: Random, name: string): MutatedResponse {
  const sound = pick(SOUND_RESPONSES, random)(name)
  const times = Math.floor(random() * 4)
  let bytes = sound
  for (let i = 0; i < times; i++) bytes = pick(MUTATIONS, random)(bytes, random)
  const cuts = Array.from({ length: Math.floor(random() * 4) }, () => Math.floor(random() * bytes.length))
  cuts.sort((one, other) => one - other)
  return { bytes, isMutated: bytes !== sound, cuts, closes: random() < 0.5 }
}
