import { connect } from 'node:net'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { seeded } from './mutations.ts'
import { type OtherName, startOther } from './other-proxies.ts'
import { explain } from './response-differences.ts'
import { type Answer, type Exchange, readAnswer } from './response-exchange.ts'
import { type MutatedResponse, makeResponse } from './response-mutations.ts'
import { type FaultyNode, startFaultyNode } from './response-stage.ts'

/**
 * The same mutated responses of a node through Gatewright, nginx and HAProxy. Each is asked twice over one connection: what is behind a
 * mutated response must neither reach the client nor spoil the next answer, and two proxies that both pass a response on must agree on
 * its status and body. Differences with a reason stand in response-differences.ts; any other is printed and fails.
 *
 *   node --import tsx test/fuzz/differential-responses.ts [responses] [seed]
 */
const RESPONSES = Number(process.argv[2] ?? 2000)
const SEED = Number(process.argv[3] ?? 1)
/** Longest time in ms for both answers. */
const EXCHANGE_MS = 3000
const SHOWN_CHARACTERS = 400

interface Proxy {
  readonly name: string
  readonly port: number
  readonly node: FaultyNode
}

const closers: (() => unknown)[] = []
const owner = { after: (close: () => unknown) => void closers.push(close) }

async function startGatewright(): Promise<Proxy> {
  const node = await startFaultyNode(owner)
  const upstream = { nodes: { [node.address]: 1 }, retries: 0 }
  const gateway = await startGateway(owner, { routes: { all: { uri: '/*', upstream } } })
  return { name: 'gatewright', port: gateway.proxyPort, node }
}

async function startBesideNode(
  name: OtherName,
  configure: (port: number, node: string, folder: string) => string,
): Promise<Proxy | undefined> {
  const node = await startFaultyNode(owner)
  const port = await startOther(owner, name, (port, folder) => configure(port, node.address, folder))
  return port === undefined ? undefined : { name, port, node }
}

const nginxConfig = (port: number, node: string, folder: string) => `
daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 512; }
http { access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  upstream node { server ${node} max_fails=0; keepalive 8; }
  server { listen 127.0.0.1:${port};
    location / { proxy_pass http://node; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_next_upstream off; proxy_buffer_size 512k; proxy_buffers 8 512k; } } }
`
const haproxyConfig = (port: number, node: string) => `
global
  tune.bufsize 524288
  tune.http.maxhdr 32767
defaults
  mode http
  timeout connect 2s
  timeout client 2s
  timeout server 2s
  timeout tunnel 2s
  retries 0
  http-reuse always
frontend in
  bind 127.0.0.1:${port}
  default_backend out
backend out
  server node ${node}
`

/** Both answers of a proxy, as its client sees them. */
function ask({ port, node }: Proxy, method: string, response: MutatedResponse): Promise<Answer> {
  node.next = response
  const reusedBefore = node.reusedAfterFault.length
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(port, '127.0.0.1')
    socket.setEncoding('latin1')
    const timer = setTimeout(() => socket.destroy(), EXCHANGE_MS)
    socket.on('data', (chunk) => {
      text += chunk
    })
    // A proxy may reset where it breaks off.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(readAnswer(text, method, node.reusedAfterFault.length > reusedBefore))
    })
    const host = 'Host: fuzz.test\r\n'
    socket.write(
      `${method} /bad/x HTTP/1.1\r\n${host}\r\nGET /sound/next HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
    )
  })
}

function shorten(bytes: string): string {
  const once = bytes.replace(/(HTTP\/1\.1 100 Continue\r\n\r\n)\1+/g, '$1…')
  return once.length > SHOWN_CHARACTERS ? `${once.slice(0, SHOWN_CHARACTERS)}…` : once
}

async function main(): Promise<number> {
  const others = [
    await startBesideNode('nginx', nginxConfig),
    await startBesideNode('haproxy', haproxyConfig),
  ].filter((proxy) => proxy !== undefined)
  const ours = await startGatewright()
  const random = seeded(SEED)
  const counts = new Map<string, number>()
  const count = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1)
  let unexplained = 0
  const note = (exchange: Exchange, run: number) => {
    const reason = explain(exchange)
    count(`${exchange.other}: ${reason ?? 'NOT EXPLAINED'}`)
    if (reason !== undefined) return
    unexplained++
    const shown = JSON.stringify({
      ...exchange,
      response: { ...exchange.response, bytes: shorten(exchange.response.bytes) },
    })
    console.log(`run ${run}: ${shown}`)
  }
  for (let run = 0; run < RESPONSES; run++) {
    const method = random() < 0.2 ? 'HEAD' : 'GET'
    const response = makeResponse(random, `body-${run}`)
    const answers = await Promise.all([ours, ...others].map((proxy) => ask(proxy, method, response)))
    for (const [index, { name }] of others.entries()) {
      note({ other: name, method, response, ours: answers[0]!, theirs: answers[index + 1]! }, run)
    }
  }
  console.log(`${RESPONSES} responses, seed ${SEED}, ${unexplained} differences without a reason`)
  for (const [what, times] of [...counts].sort(([one], [two]) => one.localeCompare(two))) {
    console.log(`${String(times).padStart(7)}  ${what}`)
  }
  return unexplained
}

try {
  process.exitCode = (await main()) === 0 ? 0 : 1
} finally {
  for (const close of closers.reverse()) await close()
}
