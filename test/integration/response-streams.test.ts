import assert from 'node:assert/strict'
import { get, type IncomingMessage } from 'node:http'
import { Readable, Transform } from 'node:stream'
import { describe, it, type TestContext } from 'node:test'
import { createGunzip, createGzip } from 'node:zlib'
import { definePlugin, type PluginInstance } from '../../src/plugin/api.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { eventually } from '../support/watch-recording.ts'

type Answer = Parameters<typeof fakeUpstream>[1]

async function withPlugins(t: TestContext, phases: readonly PluginInstance[], answer: Answer) {
  const names = phases.map((_, index) => `changes-bodies-${index}`)
  const plugins = Object.fromEntries(
    phases.map((instance, index) => {
      const plugin = definePlugin<Record<string, unknown>>({
        name: names[index]!,
        priority: 10 - index,
        schema: { type: 'object' },
        compile: () => instance,
      })
      return [plugin.name, async () => ({ default: plugin })]
    }),
  )
  const upstream = await fakeUpstream(t, answer)
  const gateway = await startGateway(t, {}, { plugins, settings: { plugins: names } })
  await gateway.put('routes', '1', {
    uri: '/*',
    plugins: Object.fromEntries(names.map((name) => [name, {}])),
    upstream: { type: 'roundrobin', nodes: { [`127.0.0.1:${upstream.port}`]: 1 } },
  })
  return gateway
}

const gzip: PluginInstance = { bodyFilter: () => ({ stream: createGzip() }) }
async function unzipped(response: Response): Promise<string> {
  const bytes = Readable.from([Buffer.from(await response.arrayBuffer())])
  return Buffer.concat(await bytes.pipe(createGunzip()).toArray()).toString()
}

describe('a body filter that is a stream', () => {
  it('changes what a node answers, before and behind filters that are none', async (t) => {
    const shout: PluginInstance = {
      bodyFilter: () => ({
        write: (chunk) => Buffer.from(Buffer.from(chunk).toString().toUpperCase()),
        end: () => Buffer.from('!'),
      }),
    }
    const count: PluginInstance = {
      bodyFilter: () => ({ isObserver: true, write: (chunk) => chunk, end: () => undefined }),
    }
    const gateway = await withPlugins(t, [shout, gzip, count], (_, response) => response.end('hello'))
    const response = await fetch(gateway.proxyUrl)
    assert.equal(response.headers.get('content-length'), null)
    assert.equal(await unzipped(response), 'HELLO!')
  })

  it('changes what the gateway answers itself', async (t) => {
    const answers: PluginInstance = { access: () => ({ status: 403, body: 'no' }) }
    const gateway = await withPlugins(t, [answers, gzip], (_, response) => response.end('never'))
    const response = await fetch(gateway.proxyUrl)
    assert.equal(response.status, 403)
    assert.equal(await unzipped(response), 'no')
  })

  it('lets the node wait for a client that reads slowly', async (t) => {
    let sent = 0
    const chunk = Buffer.alloc(64 * 1024)
    const gateway = await withPlugins(
      t,
      [{ bodyFilter: () => ({ stream: new Transform({ transform: (part, _, done) => done(null, part) }) }) }],
      (_, response) => {
        const more = () => {
          if (sent >= 64 * 1024 * 1024) return void response.end()
          sent += chunk.length
          if (response.write(chunk)) setImmediate(more)
          else response.once('drain', more)
        }
        more()
      },
    )
    const response = await new Promise<IncomingMessage>((resolve) => get(gateway.proxyUrl, resolve))
    let before = -1
    await eventually('the node waits', () => {
      const isStill = before === sent && sent > 0
      before = sent
      return isStill
    })
    assert.ok(sent < 32 * 1024 * 1024, `${sent} bytes were taken from the node`)
    let got = 0
    for await (const part of response) got += part.length
    assert.equal(got, 64 * 1024 * 1024)
  })

  it('is destroyed when the client leaves', async (t) => {
    const stream = new Transform({ transform: (part, _, done) => done(null, part) })
    const gateway = await withPlugins(t, [{ bodyFilter: () => ({ stream }) }], (_, response) =>
      response.write('part'),
    )
    const response = await new Promise<IncomingMessage>((resolve) => get(gateway.proxyUrl, resolve))
    response.on('error', () => response.destroy()).destroy()
    await eventually('it was destroyed', () => stream.destroyed)
  })

  it('cuts the response when it breaks, and the plugin is named', async (t) => {
    const breaks: PluginInstance = {
      bodyFilter: () => ({
        stream: new Transform({
          transform(part, _, done) {
            this.push(part)
            done(new Error('broken'))
          },
        }),
      }),
    }
    const gateway = await withPlugins(t, [breaks], (_, response) => response.end('whole'))
    await assert.rejects(fetch(gateway.proxyUrl).then((response) => response.text()))
    await eventually('it is logged', () =>
      gateway.logs.some(({ plugin, phase }) => plugin === 'changes-bodies-0' && phase === 'bodyFilter'),
    )
  })
})

describe('a body filter that only looks', () => {
  it('leaves the length that the node announced', async (t) => {
    let seen = ''
    const looks: PluginInstance = {
      bodyFilter: () => ({
        isObserver: true,
        write(chunk) {
          seen += Buffer.from(chunk).toString()
          return chunk
        },
        end: () => undefined,
      }),
    }
    const gateway = await withPlugins(t, [looks], (_, response) => response.end('hello'))
    const response = await fetch(gateway.proxyUrl)
    assert.equal(response.headers.get('content-length'), '5')
    assert.equal(await response.text(), 'hello')
    assert.equal(seen, 'hello')
  })
})

describe('an answer whose body is a stream', () => {
  const answering = (make: () => Readable, headers: Record<string, string> = {}): PluginInstance => ({
    access: () => ({ status: 200, headers, body: make() }),
  })
  const never: Answer = (_, response) => response.end('never')

  it('is sent as it comes, in chunks or with the length that the plugin tells', async (t) => {
    const chunked = await withPlugins(t, [answering(() => Readable.from(['a', 'b', 'c']))], never)
    const response = await fetch(chunked.proxyUrl)
    assert.equal(response.headers.get('content-length'), null)
    assert.equal(await response.text(), 'abc')
    const told = await withPlugins(
      t,
      [answering(() => Readable.from(['abc']), { 'Content-Length': '3' })],
      never,
    )
    const second = await fetch(told.proxyUrl)
    assert.equal(second.headers.get('content-length'), '3')
    assert.equal(await second.text(), 'abc')
  })

  it('cuts the connection when it is shorter than it was said to be, or fails', async (t) => {
    const short = await withPlugins(
      t,
      [answering(() => Readable.from(['abc']), { 'Content-Length': '5' })],
      never,
    )
    await assert.rejects(fetch(short.proxyUrl).then((response) => response.text()))
    const failing = async function* () {
      yield 'abc'
      throw new Error('disk gone')
    }
    const broken = await withPlugins(t, [answering(() => Readable.from(failing()))], never)
    await assert.rejects(fetch(broken.proxyUrl).then((response) => response.text()))
  })

  it('is not read for a HEAD, and is destroyed then', async (t) => {
    const made: Readable[] = []
    const gateway = await withPlugins(
      t,
      [
        answering(
          () => {
            made.push(Readable.from(['abc']))
            return made.at(-1)!
          },
          { 'Content-Length': '3' },
        ),
      ],
      never,
    )
    const response = await fetch(gateway.proxyUrl, { method: 'HEAD' })
    assert.equal(response.headers.get('content-length'), '3')
    await eventually('it was destroyed', () => made[0]?.destroyed === true)
  })
})
