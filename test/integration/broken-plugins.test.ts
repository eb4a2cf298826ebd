import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { definePlugin, type PluginInstance } from '../../src/plugin/api.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { rawRequest } from '../support/raw-client.ts'

const boom = () => {
  throw new Error('boom')
}
const later = () => new Promise((resolve) => setImmediate(resolve))

/** What a plugin may do wrong, and the statuses of its request: 0 for a connection that was cut. */
const BROKEN: Readonly<Record<string, readonly [phases: PluginInstance, status: number]>> = {
  'throws in rewrite': [{ rewrite: boom }, 500],
  'rejects in access': [{ access: () => later().then(boom) }, 500],
  'throws in beforeProxy': [{ beforeProxy: boom }, 500],
  'rejects in beforeProxy': [{ beforeProxy: () => later().then(boom) }, 500],
  'throws in headerFilter': [{ headerFilter: boom }, 200],
  'throws in log': [{ log: boom }, 200],
  'replies with status 99': [{ access: () => ({ status: 99 }) }, 500],
  'replies with status 100': [{ access: () => ({ status: 100 }) }, 500],
  'replies with status 1000, later': [{ access: () => later().then(() => ({ status: 1000 })) }, 500],
  'replies with a status that is no number': [{ access: () => ({ status: 'x' as never }) }, 500],
  'replies with a header that would split': [
    { access: () => ({ status: 200, headers: { a: 'b\r\nc: d' } }) },
    500,
  ],
  'replies with a control character': [{ access: () => ({ status: 200, headers: { a: '\x01' } }) }, 500],
  'replies with what is no JSON': [{ access: () => ({ status: 200, body: { n: 1n } as never }) }, 500],
  'sets status 99 on a response': [
    {
      headerFilter: (context) => {
        context.response.status = 99
      },
    },
    500,
  ],
  'sets a control character on a response': [
    { headerFilter: (context) => context.response.headers.set('a', '\x01') },
    500,
  ],
  'writes a target with a blank': [
    {
      rewrite: (context) => {
        context.upstream.target = '/a b'
      },
    },
    500,
  ],
  'writes a Host that would split': [
    {
      rewrite: (context) => {
        context.upstream.host = 'a\r\nEvil: 1'
      },
    },
    500,
  ],
  'writes a method that would split': [
    {
      rewrite: (context) => {
        context.upstream.method = 'GET / HTTP/1.1\r\n'
      },
    },
    500,
  ],
  'throws in its body filter': [{ bodyFilter: () => ({ write: boom, end: () => undefined }) }, 500],
  'throws at the end of its body filter': [{ bodyFilter: () => ({ write: (bytes) => bytes, end: boom }) }, 0],
}

async function gatewayWith(t: TestContext, phases: PluginInstance, settings = {}) {
  const upstream = await fakeUpstream(t, (_request, response) => {
    response.write('hello')
    setTimeout(() => response.end(), 10)
  })
  const broken = definePlugin<object>({
    name: 'broken',
    priority: 1,
    schema: { type: 'object' },
    compile: () => phases,
  })
  const to = { nodes: { [upstream.address]: 1 } }
  const gateway = await startGateway(
    t,
    {
      routes: {
        1: { uri: '/broken', plugins: { broken: {} } as never, upstream: to },
        2: { uri: '/sound', upstream: to },
      },
    },
    { plugins: { broken: async () => ({ default: broken }) }, settings },
  )
  return { upstream, gateway }
}

describe('a plugin that', () => {
  for (const [what, [phases, status]] of Object.entries(BROKEN)) {
    it(`${what} ${status === 0 ? 'cuts its request' : `gives ${status}`}, and harms no one else`, async (t) => {
      const { gateway } = await gatewayWith(t, phases)
      const { text } = await rawRequest(
        gateway.proxyPort,
        'GET /broken HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      )
      if (status === 0) assert.doesNotMatch(text, /\r\n0\r\n/)
      else assert.equal(text.split(' ')[1], String(status), text)
      assert.doesNotMatch(text, /boom/)
      const sound = await fetch(`${gateway.proxyUrl}/sound`)
      assert.deepEqual([sound.status, await sound.text()], [200, 'hello'])
      // Every request was ended: nothing keeps the stop waiting.
      assert.deepEqual(await gateway.stop(), { forced: 0 })
    })
  }

  for (const phase of ['rewrite', 'access', 'beforeProxy'] as const) {
    it(`never settles in ${phase} is given up after the time limit, and harms no one else`, async (t) => {
      const never: PluginInstance = { [phase]: () => new Promise<void>(() => {}) }
      const { gateway } = await gatewayWith(t, never, { 'gatewright.plugin_phase_timeout_ms': 50 })
      const hung = fetch(`${gateway.proxyUrl}/broken`)
      assert.equal(await (await fetch(`${gateway.proxyUrl}/sound`)).text(), 'hello')
      assert.equal((await hung).status, 500)
      const logged = gateway.logs.find(({ plugin }) => plugin === 'broken')
      assert.match(String((logged?.['err'] as Error | undefined)?.message), /did not settle within 50 ms/)
      assert.deepEqual(await gateway.stop(), { forced: 0 })
    })
  }

  it('waits for the body of the client is not given up before the client is', async (t) => {
    const reads: PluginInstance = { access: async (context) => void (await context.readBody(100)) }
    const { gateway, upstream } = await gatewayWith(t, reads, { 'gatewright.plugin_phase_timeout_ms': 30 })
    const body = new ReadableStream({
      async start(controller) {
        controller.enqueue(Buffer.from('slow'))
        setTimeout(() => controller.close(), 150)
      },
    })
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit
    assert.equal((await fetch(`${gateway.proxyUrl}/broken`, init)).status, 200)
    assert.equal(upstream.requests.length, 1)
  })

  it('makes a HEAD of a GET does not leave the client waiting for a body', async (t) => {
    const { gateway } = await gatewayWith(t, {
      rewrite: (context) => {
        context.upstream.method = 'HEAD'
      },
    })
    const { status } = await rawRequest(
      gateway.proxyPort,
      'GET /broken HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    )
    assert.equal(status, 200)
  })
})
