import assert from 'node:assert/strict'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type { Readable } from 'node:stream'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { type Resources, startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { eventually } from '../support/watch-recording.ts'

/** Each far shorter than a stream here is silent. */
const SHORT = {
  'nginx_config.http.keepalive_timeout': '100ms',
  'nginx_config.http.send_timeout': '100ms',
  'nginx_config.http.client_body_timeout': '100ms',
  'nginx_config.http.client_header_timeout': '200ms',
}
const EVENTS = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' }
const { cert, key } = makeCertificate({ names: ['events.test'] })

interface Timeouts {
  /** `timeout.read` of the upstream, in seconds. */
  readonly read?: number
  /** `timeout.read` of the route. */
  readonly routeRead?: number
}

async function gatewayTo(
  t: TestContext,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
  { read = 5, routeRead }: Timeouts = {},
): Promise<TestGateway> {
  const node = await fakeUpstream(t, handle)
  const timeoutOf = (seconds: number) => ({ connect: 5, send: 5, read: seconds })
  const upstream = { nodes: { [node.address]: 1 }, timeout: timeoutOf(read) }
  const route = { uri: '/*', upstream, ...(routeRead && { timeout: timeoutOf(routeRead) }) }
  const resources: Resources = {
    routes: { all: route as never },
    ssls: { events: { snis: ['events.test'], cert, key } },
  }
  const listen = [{ ip: '127.0.0.1', port: 0, enable_http2: true }]
  return startGateway(t, resources, { settings: { 'apisix.node_listen': listen, ...SHORT } })
}

/** A client that listens to one answer. */
interface Listener {
  readonly text: string
  /** `end`: as a whole answer ends. `cut`: so that nobody takes it for one. */
  readonly outcome: 'end' | 'cut' | undefined
}

type Listen = (t: TestContext, gateway: TestGateway) => Listener

function follow(stream: Readable, state: { text: string; outcome: Listener['outcome'] }): void {
  stream.setEncoding('utf8')
  stream.on('data', (text) => {
    state.text += text
  })
  stream.on('end', () => {
    state.outcome ??= 'end'
  })
}

function overHttp1(client: typeof http | typeof https, port: (gateway: TestGateway) => number): Listen {
  return (t, gateway) => {
    const state = { text: '', outcome: undefined as Listener['outcome'] }
    const options = { host: '127.0.0.1', servername: 'events.test', rejectUnauthorized: false, agent: false }
    const headers = { host: 'events.test', accept: 'text/event-stream' }
    const request = client.get({ ...options, port: port(gateway), headers } as https.RequestOptions)
    const cut = () => {
      state.outcome ??= 'cut'
    }
    request.on('response', (response) => follow(response.on('error', cut), state)).on('error', cut)
    t.after(() => request.destroy())
    return state
  }
}

function overHttp2(t: TestContext, gateway: TestGateway): Listener {
  const state = { text: '', outcome: undefined as Listener['outcome'] }
  const session = http2.connect(gateway.proxyUrl)
  t.after(() => session.destroy())
  const stream = session.request({ ':path': '/', accept: 'text/event-stream' })
  const cut = () => {
    state.outcome ??= 'cut'
  }
  session.on('error', cut)
  follow(stream.on('error', cut), state)
  return state
}

const LISTENERS: Readonly<Record<string, Listen>> = {
  'HTTP/1.1': overHttp1(http, ({ proxyPort }) => proxyPort),
  'HTTP/1.1 over TLS': overHttp1(https, ({ tlsPort }) => tlsPort),
  'HTTP/2': overHttp2,
}

for (const [name, listen] of Object.entries(LISTENERS)) {
  describe(`a client of ${name} that listens to events`, { concurrency: true }, () => {
    it('is told the first one at once, and each one when it comes', async (t) => {
      let node: ServerResponse | undefined
      const gateway = await gatewayTo(t, (_request, response) => {
        node = response.writeHead(200, EVENTS)
        response.write('data: 1\n\n')
      })
      const client = listen(t, gateway)
      await eventually('the first event is there', () => client.text === 'data: 1\n\n')
      node!.write('data: 2\n\n')
      await eventually('the second event is there', () => client.text.endsWith('data: 2\n\n'))
      node!.end()
      await eventually('the end is there', () => client.outcome === 'end')
    })

    it('keeps it as long as heartbeats come within timeout.read, past every timeout of idle clients', async (t) => {
      const gateway = await gatewayTo(
        t,
        (_request, response) => {
          response.writeHead(200, EVENTS)
          let beats = 0
          const timer = setInterval(() => {
            response.write(`:${++beats}\n`)
            if (beats === 5) response.end()
          }, 300)
          response.on('close', () => clearInterval(timer))
        },
        { read: 0.9 },
      )
      const client = listen(t, gateway)
      await eventually('it has ended', () => client.outcome !== undefined)
      assert.deepEqual([client.outcome, client.text], ['end', ':1\n:2\n:3\n:4\n:5\n'])
    })

    it('waits for an answer that is long in coming', async (t) => {
      const gateway = await gatewayTo(t, (_request, response) => {
        setTimeout(() => response.end('news'), 1300)
      })
      const client = listen(t, gateway)
      await eventually('it has ended', () => client.outcome !== undefined)
      assert.deepEqual([client.outcome, client.text], ['end', 'news'])
    })

    it('is cut when the node is silent for timeout.read', async (t) => {
      let saidAt = 0
      let cutAt = 0
      const gateway = await gatewayTo(
        t,
        (_request, response) => {
          response.writeHead(200, EVENTS).write('data: 1\n\n')
          saidAt = performance.now()
          response.on('close', () => {
            cutAt = performance.now()
          })
        },
        { read: 0.5 },
      )
      const client = listen(t, gateway)
      await eventually('it has ended', () => client.outcome !== undefined && cutAt > 0)
      assert.deepEqual([client.outcome, client.text], ['cut', 'data: 1\n\n'])
      assert.ok(cutAt - saidAt > 450, `it was cut after ${cutAt - saidAt} ms`)
    })

    it('may be told nothing for longer where the route has a timeout of its own', async (t) => {
      const gateway = await gatewayTo(
        t,
        (_request, response) => {
          response.writeHead(200, EVENTS).write('data: 1\n\n')
          setTimeout(() => response.end('data: 2\n\n'), 700)
        },
        { read: 0.2, routeRead: 3 },
      )
      const client = listen(t, gateway)
      await eventually('it has ended', () => client.outcome !== undefined)
      assert.deepEqual([client.outcome, client.text], ['end', 'data: 1\n\ndata: 2\n\n'])
    })
  })
}

describe('a client that has sent a body and then listens', () => {
  it('is not taken for one that stalls while it sends', async (t) => {
    const gateway = await gatewayTo(t, (request, response) => {
      request.resume().on('end', () => {
        response.writeHead(200, EVENTS).write('data: 1\n\n')
        setTimeout(() => response.end('data: 2\n\n'), 600)
      })
    })
    const headers = { connection: 'keep-alive' }
    const answer = await fetch(gateway.proxyUrl, { method: 'POST', body: 'subscribe', headers })
    assert.equal(await answer.text(), 'data: 1\n\ndata: 2\n\n')
  })
})
