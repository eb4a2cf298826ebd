import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { describe, it, type TestContext } from 'node:test'
import { type AnyPlugin, BodyTooLargeError, definePlugin, type RequestContext } from '../../src/plugin/api.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { eventually } from '../support/watch-recording.ts'

type Access = NonNullable<ReturnType<AnyPlugin['compile']>['access']>

/** A gateway whose one route runs `access`, and a node that echoes what it got. */
async function withPlugin(t: TestContext, access: Access) {
  const plugin = definePlugin<Record<string, unknown>>({
    name: 'reads-bodies',
    priority: 1,
    schema: { type: 'object' },
    compile: () => ({ access }),
  })
  const seen: string[] = []
  const upstream = await fakeUpstream(t, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      seen.push(Buffer.concat(chunks).toString())
      const { 'content-length': length, 'transfer-encoding': coding } = request.headers
      response.end(JSON.stringify({ body: seen.at(-1), length, coding }))
    })
  })
  const gateway = await startGateway(
    t,
    {},
    {
      plugins: { 'reads-bodies': async () => ({ default: plugin }) },
      settings: { plugins: ['reads-bodies'] },
    },
  )
  await gateway.put('routes', '1', {
    uri: '/*',
    plugins: { 'reads-bodies': {} },
    upstream: { type: 'roundrobin', nodes: { [`127.0.0.1:${upstream.port}`]: 1 } },
  })
  return { gateway, seen }
}

const send = (url: string, body: NonNullable<RequestInit['body']>, init: RequestInit = {}) =>
  fetch(url, { method: 'POST', body, ...init })

describe('a plugin and the body of a request', () => {
  it('reads it whole, more than once, and the node gets it unchanged', async (t) => {
    const read: string[] = []
    const { gateway } = await withPlugin(t, async (context) => {
      for (let i = 0; i < 2; i++) read.push((await context.readBody(1000)).toString())
    })
    const answer = await (await send(gateway.proxyUrl, 'hello')).json()
    assert.deepEqual(answer, { body: 'hello', length: '5' })
    assert.deepEqual(read, ['hello', 'hello'])
  })

  it('reads one in chunks that is longer than what a retry keeps', async (t) => {
    const text = 'x'.repeat(300_000)
    const { gateway, seen } = await withPlugin(t, async (context) => {
      assert.equal((await context.readBody(400_000)).length, text.length)
    })
    const stream = new Blob([text]).stream()
    const response = await send(gateway.proxyUrl, stream, { duplex: 'half' } as RequestInit)
    assert.equal(response.status, 200)
    await response.text()
    assert.equal(seen[0], text)
  })

  it('gets an empty one where there is none', async (t) => {
    let length = -1
    const { gateway } = await withPlugin(t, async (context) => {
      assert.equal(context.hasBody, false)
      length = (await context.readBody(10)).length
    })
    assert.equal((await fetch(gateway.proxyUrl)).status, 200)
    assert.equal(length, 0)
  })

  it('is answered 413 when it lets a body escape that is too long, announced or not', async (t) => {
    const { gateway, seen } = await withPlugin(t, async (context) => {
      await context.readBody(10)
    })
    const announced = await send(gateway.proxyUrl, 'x'.repeat(11))
    assert.equal(announced.status, 413)
    const chunked = await send(gateway.proxyUrl, new Blob(['x'.repeat(11)]).stream(), {
      duplex: 'half',
    } as RequestInit)
    assert.equal(chunked.status, 413)
    assert.deepEqual(seen, [])
    assert.equal((await send(gateway.proxyUrl, 'x'.repeat(10))).status, 200)
  })

  it('may go on without a body that is too long, which the node then gets whole', async (t) => {
    const { gateway, seen } = await withPlugin(t, async (context) => {
      await assert.rejects(context.readBody(100_000), BodyTooLargeError)
    })
    const text = `${'ab'.repeat(200_000)}end`
    const stream = new Blob([text]).stream()
    const response = await send(gateway.proxyUrl, stream, { duplex: 'half' } as RequestInit)
    assert.equal(response.status, 200)
    await response.text()
    assert.equal(seen[0] === text, true)
  })

  it('puts another in its place, also where there was none', async (t) => {
    const { gateway } = await withPlugin(t, async (context) => {
      const old = await context.readBody(100)
      context.setBody(`[${old}] changed`)
      assert.equal((await context.readBody(100)).toString(), `[${old}] changed`)
      assert.equal(context.var('content_length'), String(old.length + 10))
    })
    const changed = await (await send(gateway.proxyUrl, 'old')).json()
    assert.deepEqual(changed, { body: '[old] changed', length: '13' })
    const made = await (await fetch(gateway.proxyUrl, { method: 'DELETE' })).json()
    assert.deepEqual(made, { body: '[] changed', length: '10' })
  })

  it('replaces a body that it has not read, and the connection serves the next request', async (t) => {
    const { gateway } = await withPlugin(t, (context: RequestContext) => context.setBody('new'))
    for (let i = 0; i < 3; i++) {
      const response = await send(gateway.proxyUrl, 'x'.repeat(200_000))
      assert.equal(((await response.json()) as { body: string }).body, 'new')
    }
  })

  it('may allow less than the listener, counted while it streams', async (t) => {
    const { gateway } = await withPlugin(t, (context: RequestContext) => context.setBodyLimit(1000))
    assert.equal((await send(gateway.proxyUrl, 'x'.repeat(1001))).status, 413)
    assert.equal((await send(gateway.proxyUrl, 'x'.repeat(1000))).status, 200)
    const stream = new Blob(['x'.repeat(100_000)]).stream()
    assert.equal((await send(gateway.proxyUrl, stream, { duplex: 'half' } as RequestInit)).status, 413)
  })

  it('is let go when the client leaves in the middle of a body', async (t) => {
    let isReading = false
    let isLetGo = false
    const { gateway } = await withPlugin(t, async (context) => {
      isReading = true
      await context.readBody(1000).catch((error) => {
        isLetGo = error.name === 'BodyGoneError'
        throw error
      })
    })
    const client = httpRequest(gateway.proxyUrl, { method: 'POST', headers: { 'content-length': '100' } })
    client.on('error', () => client.destroy())
    client.write('part')
    await eventually('the plugin reads', () => isReading)
    client.destroy()
    await eventually('the reader was told', () => isLetGo)
    const failures = gateway.logs.filter(({ msg }) => String(msg).includes('failed'))
    assert.deepEqual(failures, [])
  })
})
