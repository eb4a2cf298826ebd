import { createSocket, type RemoteInfo } from 'node:dgram'
import type { TestContext } from 'node:test'

export type RecordType = 'A' | 'AAAA' | 'SRV' | 'CNAME'

export interface SrvData {
  readonly target: string
  readonly port: number
  readonly weight: number
  readonly priority: number
}

/** What a question that has no records is answered with. */
export type Failure = 'NXDOMAIN' | 'SERVFAIL' | 'REFUSED' | 'silence'

/** A DNS server under the test's control, on UDP. Names that it was told nothing of are NXDOMAIN. */
export interface FakeDns {
  /** `127.0.0.1:PORT`. */
  readonly address: string
  /** Every question so far: `A www.test`. */
  readonly questions: readonly string[]
  /** Sets the records of a name; an empty list answers without data. `ttl` in seconds, 1 unless told. */
  set(type: RecordType, name: string, data: readonly (string | SrvData)[], ttl?: number): void
  /** Forgets all records of a name and fails its questions. */
  fail(name: string, failure: Failure): void
  /** Fails every question, whatever it was told of names; `undefined` ends that. */
  failAll(failure: Failure | undefined): void
}

interface Answer {
  readonly name: string
  readonly type: RecordType
  readonly data: string | SrvData
  readonly ttl: number
}

const TYPE_CODES: Readonly<Record<RecordType, number>> = { A: 1, CNAME: 5, AAAA: 28, SRV: 33 }
const RCODES: Readonly<Record<Exclude<Failure, 'silence'>, number>> = { SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 }
const HEADER_BYTES = 12
const CLASS_IN = 1

/** Starts one on a free port of loopback, closed when the test ends. */
export async function fakeDns(t: Pick<TestContext, 'after'>): Promise<FakeDns> {
  const zone = new Zone()
  const socket = createSocket('udp4')
  socket.on('message', (query: Buffer, { port, address }: RemoteInfo) => {
    const response = zone.respond(query)
    if (response) socket.send(response, port, address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  t.after(() => new Promise<void>((resolve) => socket.close(() => resolve())))
  return Object.assign(zone, { address: `127.0.0.1:${socket.address().port}` })
}

class Zone {
  readonly questions: string[] = []
  readonly #records = new Map<string, Map<RecordType, Answer[]>>()
  readonly #failures = new Map<string, Failure>()
  #failure: Failure | undefined

  set(type: RecordType, name: string, data: readonly (string | SrvData)[], ttl = 1): void {
    this.#failures.delete(name)
    const ofName = this.#records.get(name) ?? new Map<RecordType, Answer[]>()
    const answers = data.map((one) => ({ name, type, data: one, ttl }))
    this.#records.set(name, ofName.set(type, answers))
  }

  fail(name: string, failure: Failure): void {
    this.#records.delete(name)
    this.#failures.set(name, failure)
  }

  failAll(failure: Failure | undefined): void {
    this.#failure = failure
  }

  respond(query: Buffer): Buffer | undefined {
    const { name, code, end } = readQuestion(query)
    const type = (Object.keys(TYPE_CODES) as RecordType[]).find((one) => TYPE_CODES[one] === code)
    this.questions.push(`${type ?? code} ${name}`)
    const failure = this.#failure ?? this.#failures.get(name)
    if (failure === 'silence') return undefined
    const known = this.#records.has(name)
    const answers = failure === undefined && type ? this.#find(name, type) : []
    const rcode = failure ? RCODES[failure] : known ? 0 : RCODES.NXDOMAIN
    const header = Buffer.alloc(HEADER_BYTES)
    header.writeUInt16BE(query.readUInt16BE(0), 0)
    header.writeUInt16BE(0x8180 | rcode, 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(answers.length, 6)
    return Buffer.concat([header, query.subarray(HEADER_BYTES, end), ...answers.map(encodeAnswer)])
  }

  /** The records, with an alias and what it stands for in front of them, as a recursive server answers. */
  #find(name: string, type: RecordType): Answer[] {
    const records = this.#records.get(name)
    const own = records?.get(type)
    const alias = records?.get('CNAME')?.[0]
    if (own || !alias || type === 'CNAME') return own ?? []
    return [alias, ...this.#find(alias.data as string, type)]
  }
}

function readQuestion(query: Buffer): { name: string; code: number; end: number } {
  const labels: string[] = []
  let at = HEADER_BYTES
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += length + 1
  }
  return { name: labels.join('.').toLowerCase(), code: query.readUInt16BE(at + 1), end: at + 5 }
}

function encodeAnswer({ name, type, data, ttl }: Answer): Buffer {
  const fixed = Buffer.alloc(10)
  const bytes = encodeData(type, data)
  fixed.writeUInt16BE(TYPE_CODES[type], 0)
  fixed.writeUInt16BE(CLASS_IN, 2)
  fixed.writeUInt32BE(ttl, 4)
  fixed.writeUInt16BE(bytes.length, 8)
  return Buffer.concat([encodeName(name), fixed, bytes])
}

function encodeData(type: RecordType, data: string | SrvData): Buffer {
  if (typeof data !== 'string') {
    const numbers = Buffer.alloc(6)
    numbers.writeUInt16BE(data.priority, 0)
    numbers.writeUInt16BE(data.weight, 2)
    numbers.writeUInt16BE(data.port, 4)
    return Buffer.concat([numbers, encodeName(data.target)])
  }
  if (type === 'A') return Buffer.from(data.split('.').map(Number))
  return type === 'AAAA' ? encodeIpv6(data) : encodeName(data)
}

function encodeName(name: string): Buffer {
  const labels = name
    .split('.')
    .flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')])
  return Buffer.concat([...labels, Buffer.from([0])])
}

function encodeIpv6(address: string): Buffer {
  const [head = '', tail = ''] = address.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const [before, after] = [groups(head), groups(tail)]
  const zeros = new Array<string>(8 - before.length - after.length).fill('0')
  const all = [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16))
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]))
}
