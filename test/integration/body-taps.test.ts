import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { definePlugin, type PluginInstance } from '../../src/plugin/api.ts'
import { fakeUpstream, rawUpstream, refusingAddress } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { ask, connectHttp2 } from '../support/http2-client.ts'
import { rawConnect } from '../support/raw-client.ts'
import { eventually } from '../support/watch-recording.ts'

const PATIENCE_MS = 30_000

/** What the taps of one plugin have seen, tap after tap. */
interface Seen {
  readonly texts: string[]
  readonly ends: boolean[]
  bytes: number
}

/** A gateway whose one route taps bodies, with other phases beside, and nodes to send them to. */
async function tapped(
  t: TestContext,
  nodes: readonly string[],
  others: Omit<PluginInstance, 'tapBody'> = {},
) {
  const seen: Seen = { texts: [], ends: [], bytes: 0 }
  const plugin = definePlugin<Record<string, unknown>>({
    name: 'taps',
    priority: 1,
    schema: { type: 'object' },
    compile: () => ({
      ...others,
      tapBody() {
        const index = seen.texts.push('') - 1
        return {
          write(chunk) {
            seen.bytes += chunk.length
            if (seen.texts[index]!.length < 1000) seen.texts[index] += Buffer.from(chunk).toString()
          },
          end: (isWhole) => void seen.ends.push(isWhole),
        }
      },
    }),
  })
  const gateway = await startGateway(
    t,
    {},
    {
      plugins: { taps: async () => ({ default: plugin }) },
      settings: {
        plugins: ['taps'],
        'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }],
      },
    },
  )
  await gateway.put('routes', '1', {
    uri: '/*',
    plugins: { taps: {} },
    upstream: {
      nodes: nodes.map((node, index) => {
        const [host = '', port] = node.split(':')
        return { host, port: Number(port), weight: 1, priority: -index }
      }),
    },
  })
  return { gateway, seen }
}

/** A node that answers with the body it got. */
const echo = (t: TestContext) => fakeUpstream(t, (request, response) => void request.pipe(response))

const post = async (url: string, body: NonNullable<RequestInit['body']>) =>
  (await fetch(url, { method: 'POST', body })).text()

describe('a tap on the body of a request', () => {
  it('sees each part as it comes and lets it go on at once, with a length announced or none', async (t) => {
    const node = await echo(t)
    const { gateway, seen } = await tapped(t, [node.address])
    for (const framing of [{ 'content-length': 6 }, { 'transfer-encoding': 'chunked' }]) {
      const before = seen.texts.length
      const told = await new Promise<string>((resolve, reject) => {
        const sent = httpRequest(
          { port: gateway.proxyPort, method: 'POST', agent: false, headers: framing },
          (response) => {
            let text = ''
            response.on('data', (part) => {
              text += part
              // The node answers the first part before the second one is sent.
              if (text === 'one') {
                assert.equal(seen.texts[before], 'one')
                sent.end('two')
              }
            })
            response.on('end', () => resolve(text))
          },
        )
        sent.on('error', reject)
        sent.write('one')
      })
      assert.equal(told, 'onetwo')
      assert.equal(seen.texts[before], 'onetwo')
      assert.equal(seen.ends[before], true)
    }
  })

  it('sees a body over HTTP/2', async (t) => {
    const node = await echo(t)
    const { gateway, seen } = await tapped(t, [node.address])
    const session = await connectHttp2(t, gateway.proxyUrl)
    const answer = await ask(session, { ':path': '/', ':method': 'POST' }, 'over two')
    assert.equal(answer.body, 'over two')
    assert.deepEqual([seen.texts, seen.ends], [['over two'], [true]])
  })

  it('is not asked for when there is no body', async (t) => {
    const node = await echo(t)
    const { gateway, seen } = await tapped(t, [node.address])
    assert.equal((await fetch(gateway.proxyUrl)).status, 200)
    assert.equal(await post(gateway.proxyUrl, ''), '')
    assert.deepEqual(seen.texts, [])
  })

  it('sees the body once, however often it is sent', async (t) => {
    const node = await echo(t)
    const broken = await rawUpstream(t, (socket) => socket.once('data', () => socket.destroy()))
    const { gateway, seen } = await tapped(t, [await refusingAddress(), broken, node.address])
    const response = await fetch(gateway.proxyUrl, { method: 'PUT', body: 'again' })
    assert.deepEqual([response.status, await response.text()], [200, 'again'])
    assert.deepEqual([seen.texts, seen.ends], [['again'], [true]])
  })

  it('sees what was read before, and what a plugin has put in its place', async (t) => {
    const node = await echo(t)
    const read = await tapped(t, [node.address], {
      access: async (context) => void (await context.readBody(1000)),
    })
    assert.equal(await post(read.gateway.proxyUrl, 'read'), 'read')
    assert.deepEqual([read.seen.texts, read.seen.ends], [['read'], [true]])
    const changed = await tapped(t, [node.address], { access: (context) => context.setBody('changed') })
    assert.equal(await post(changed.gateway.proxyUrl, 'sent'), 'changed')
    assert.deepEqual([changed.seen.texts, changed.seen.ends], [['changed'], [true]])
  })

  it('is told when the client leaves before the end of its body', async (t) => {
    const node = await echo(t)
    const { gateway, seen } = await tapped(t, [node.address])
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf')
    await eventually('the half was seen', () => seen.texts[0] === 'half', PATIENCE_MS)
    client.socket.destroy()
    await eventually('the end was told', () => seen.ends.length === 1, PATIENCE_MS)
    assert.deepEqual(seen.ends, [false])
  })

  it('sees no more of a body than a node that does not read lets come', async (t) => {
    const node = await rawUpstream(t, (socket) => socket.pause())
    const { gateway, seen } = await tapped(t, [node])
    const client = await rawConnect(t, gateway.proxyPort)
    const size = 64 * 1024 * 1024
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`)
    client.socket.write(Buffer.alloc(size))
    await eventually('some was seen', () => seen.bytes > 0, PATIENCE_MS)
    let before = -1
    await eventually(
      'nothing more comes',
      async () => {
        const isStill = before === seen.bytes
        before = seen.bytes
        await new Promise((resolve) => setTimeout(resolve, 200))
        return isStill
      },
      PATIENCE_MS,
    )
    assert.ok(seen.bytes < size / 2, `${seen.bytes} bytes were read`)
  })

  it('harms no request when it throws, and is told of once', async (t) => {
    const node = await echo(t)
    const plugin = definePlugin<Record<string, unknown>>({
      name: 'throws',
      priority: 1,
      schema: { type: 'object' },
      compile: () => ({
        tapBody: () => ({
          write() {
            throw new Error('spilt')
          },
          end: () => assert.fail('it was over'),
        }),
      }),
    })
    const gateway = await startGateway(
      t,
      {},
      { plugins: { throws: async () => ({ default: plugin }) }, settings: { plugins: ['throws'] } },
    )
    await gateway.put('routes', '1', {
      uri: '/*',
      plugins: { throws: {} },
      upstream: { nodes: { [node.address]: 1 } },
    })
    const long = 'x'.repeat(300_000)
    assert.equal(await post(gateway.proxyUrl, long), long)
    const told = gateway.logs.filter(({ phase }) => phase === 'tapBody')
    assert.deepEqual([told.length, told[0]?.['plugin']], [1, 'throws'])
  })
})

describe('a logger with include_req_body', () => {
  it('shows the beginning of a body of any length and framing, which streams on', async (t) => {
    const node = await fakeUpstream(t, (request, response) => {
      let bytes = 0
      request.on('data', (part) => (bytes += part.length))
      request.on('end', () => response.end(String(bytes)))
    })
    const gateway = await startGateway(t)
    const path = join(gateway.directory, 'entries.log')
    await gateway.put('routes', '1', {
      uri: '/*',
      plugins: { 'file-logger': { path, include_req_body: true, max_req_body_bytes: 100_000 } },
      upstream: { nodes: { [node.address]: 1 } },
    })
    const long = 'y'.repeat(2_000_000)
    const parts = () => new Blob([long]).stream()
    assert.equal(await post(gateway.proxyUrl, long), '2000000')
    const init = { method: 'POST', body: parts(), duplex: 'half' } as RequestInit
    assert.equal(await (await fetch(gateway.proxyUrl, init)).text(), '2000000')
    const lines = () => (existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : [])
    await eventually('both entries are written', () => lines().length === 2, PATIENCE_MS)
    for (const line of lines()) assert.equal(JSON.parse(line).request.body, long.slice(0, 100_000))
  })
})
