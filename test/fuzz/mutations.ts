/** Uniform in [0, 1), repeatable from a seed. */
export type Random = () => number

/** mulberry32: small, and good enough to choose mutations. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

const pick = <T>(values: readonly T[], random: Random): T => values[Math.floor(random() * values.length)]!

const BODY = 'GET /smuggled HTTP/1.1\r\nHost: evil.test\r\n\r\n'

/** Requests that everyone reads alike; one of them holds another in its body. */
const PLAIN: readonly ((n: string) => string)[] = [
  (n) => `GET /plain/${n} HTTP/1.1\r\nHost: fuzz.test\r\n\r\n`,
  (n) => `GET /query/${n}?a=1&b=%20 HTTP/1.1\r\nHost: fuzz.test\r\nAccept: */*\r\n\r\n`,
  (n) => `POST /length/${n} HTTP/1.1\r\nHost: fuzz.test\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
  (n) =>
    `POST /chunked/${n} HTTP/1.1\r\nHost: fuzz.test\r\nTransfer-Encoding: chunked\r\n\r\n` +
    `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`,
  (n) => `PUT /empty/${n} HTTP/1.1\r\nHost: fuzz.test\r\nContent-Length: 0\r\n\r\n`,
  (n) => `DELETE /old/${n} HTTP/1.0\r\nHost: fuzz.test\r\nConnection: keep-alive\r\n\r\n`,
]

type Mutation = (text: string, random: Random) => string

const LINES = [
  'Content-Length: 3',
  'Content-Length: +5',
  'Content-Length: 5, 5',
  'Content-Length: 0x5',
  'Content-Length: ',
  'Content-Length : 5',
  'content-length: 44',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding:\tchunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding: ,chunked',
  'Transfer_Encoding: chunked',
  'Host: other.test',
  'Host: a@b',
  'Host:',
  ' folded',
  '\tfolded: 1',
  'X: a\rb',
  'X: a\nTransfer-Encoding: chunked',
  'X: \0',
  'X',
  ': x',
  'X y: 1',
  'Expect: 100-continue',
  'Connection: close, Host, Content-Length',
  'Upgrade: h2c',
  '__proto__: 1',
] as const

const MUTATIONS: readonly Mutation[] = [
  // One more header line, at a random place in the head.
  (text, random) => {
    const lines = text.split('\r\n')
    const head = lines.indexOf('')
    lines.splice(1 + Math.floor(random() * Math.max(1, head)), 0, pick(LINES, random))
    return lines.join('\r\n')
  },
  // One line end that is none.
  (text, random) => replaceNth(text, '\r\n', pick(['\n', '\r', '\r\r\n', '\n\r\n', ' \r\n'], random), random),
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
        `\r\n${pick([`0${size}`, `${size};x=y`, `+${size}`, `${size} `, `0x${size}`, 'ffffffffffffffff', '-1'], random)}\r\n`,
    ),
  (text, random) =>
    text.replace(
      /HTTP\/1\.[01]/,
      pick(['HTTP/1.1 ', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1', 'HTTP/1.0', ''], random),
    ),
  (text, random) =>
    text.replace(/^([A-Z]+) (\S+)/, (_all, method: string, target: string) =>
      pick(
        [
          `${method}  ${target}`,
          `${method}\t${target}`,
          `${method.toLowerCase()} ${target}`,
          `${method} http://fuzz.test${target}`,
          `${method} http://other.test${target}`,
          `${method} *`,
          `${method} ${target}#x`,
          ` ${method} ${target}`,
        ],
        random,
      ),
    ),
  // Cut off somewhere.
  (text, random) => text.slice(0, Math.floor(random() * text.length)),
]

/** One to three requests on one connection, with zero to three mutations in one of them; `name` stands in their paths. */
export function makeStream(random: Random, name = 0): string {
  const requests = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, n) =>
    pick(PLAIN, random)(`${name}-${n}`),
  )
  const target = Math.floor(random() * requests.length)
  const times = Math.floor(random() * 4)
  for (let i = 0; i < times; i++) requests[target] = pick(MUTATIONS, random)(requests[target]!, random)
  return requests.join('')
}

function replaceNth(text: string, what: string, by: string, random: Random): string {
  const parts = text.split(what)
  if (parts.length < 2) return text
  const at = 1 + Math.floor(random() * (parts.length - 1))
  return parts.slice(0, at).join(what) + by + parts.slice(at).join(what)
}
