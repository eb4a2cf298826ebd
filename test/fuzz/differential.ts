import { startGateway } from '../../src/testing/start-gateway.ts'
import { makeStream, seeded } from './mutations.ts'
import { type OtherName, startOther } from './other-proxies.ts'
import { sendStream, startRecorder } from './proxy-under-fuzz.ts'
import type { ReadRequest } from './strict-reader.ts'

/**
 * The same mutated streams through Gatewright, nginx and HAProxy, each before a recorder of its own. Where two proxies both
 * forward the n-th request, they must agree on method, target, host and body length; to forward less is no difference.
 *
 *   node --import tsx test/fuzz/differential.ts [streams] [seed]
 */
const STREAMS = Number(process.argv[2] ?? 2000)
const SEED = Number(process.argv[3] ?? 1)

interface Proxy {
  readonly name: string
  readonly port: number
  take(): ReadRequest[]
}

const closers: (() => unknown)[] = []
const owner = { after: (close: () => unknown) => void closers.push(close) }

async function startGatewright(): Promise<Proxy> {
  const node = await startRecorder(owner)
  const nodes = { [node.address]: 1 }
  const gateway = await startGateway(owner, {
    routes: { all: { uri: '/*', upstream: { nodes, retries: 0 } } },
  })
  return { name: 'gatewright', port: gateway.proxyPort, take: node.take }
}

async function startBesideRecorder(
  name: OtherName,
  configure: (port: number, node: string, folder: string) => string,
): Promise<Proxy | undefined> {
  const node = await startRecorder(owner)
  const port = await startOther(owner, name, (port, folder) => configure(port, node.address, folder))
  return port === undefined ? undefined : { name, port, take: node.take }
}

const nginxConfig = (port: number, node: string, folder: string) => `
daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 512; }
http { access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  server { listen 127.0.0.1:${port};
    location / { proxy_pass http://${node}; proxy_http_version 1.1; proxy_set_header Host $host; proxy_next_upstream off; proxy_ignore_client_abort on; } } }
`
const haproxyConfig = (port: number, node: string) => `
defaults
  mode http
  timeout connect 2s
  timeout client 2s
  timeout server 2s
  retries 0
frontend in
  bind 127.0.0.1:${port}
  default_backend out
backend out
  server node ${node}
`

/** Absolute and origin form say the same, and so do a host with an empty port and one without. */
function comparable({ method, target, host, bodyBytes }: ReadRequest): string {
  const path = target.replace(/^http:\/\/[^/?]+/i, '')
  const [, authority = host] = /^http:\/\/([^/?]+)/i.exec(target) ?? []
  return JSON.stringify([method, path, authority.replace(/:$/, ''), bodyBytes])
}

/** By the name in its path, because a proxy may forward a request after its client's connection is gone. */
function byName(requests: readonly ReadRequest[]): Map<string, ReadRequest> {
  const named = new Map<string, ReadRequest>()
  for (const request of requests) {
    const [name] = /[a-z]+\/\d+-\d/.exec(request.target) ?? []
    if (name !== undefined) named.set(name, request)
  }
  return named
}

async function main(): Promise<number> {
  const started = [
    await startGatewright(),
    await startBesideRecorder('nginx', nginxConfig),
    await startBesideRecorder('haproxy', haproxyConfig),
  ]
  const [ours, ...others] = started.filter((proxy) => proxy !== undefined)
  const random = seeded(SEED)
  const streams: string[] = []
  for (let run = 0; run < STREAMS; run++) {
    const stream = makeStream(random, run)
    streams.push(stream)
    for (const proxy of [ours!, ...others]) await sendStream(proxy.port, stream)
  }
  const mine = byName(ours!.take())
  console.log(`${STREAMS} streams, seed ${SEED}; gatewright forwarded ${mine.size}`)
  let differences = 0
  for (const other of others) {
    const theirs = byName(other.take())
    const found = [...mine].filter(([name, request]) => differs(request, theirs.get(name)))
    differences += found.length
    const both = [...mine.keys()].filter((name) => theirs.has(name)).length
    console.log(
      `${other.name} forwarded ${theirs.size}, ${both} of them as gatewright did, ${found.length} in another reading`,
    )
    for (const [name, request] of found) {
      const stream = JSON.stringify(streams[Number(/\d+/.exec(name)![0])])
      console.log(`  ${comparable(request)} or ${comparable(theirs.get(name)!)} in ${stream}`)
    }
  }
  return differences
}

function differs(request: ReadRequest, other: ReadRequest | undefined): boolean {
  // A request of HTTP/1.0 without Host gets whatever name each proxy gives the node.
  if (!other || request.host.startsWith('127.0.0.1:')) return false
  return comparable(request) !== comparable(other)
}

try {
  process.exitCode = (await main()) === 0 ? 0 : 1
} finally {
  for (const close of closers.reverse()) await close()
}
