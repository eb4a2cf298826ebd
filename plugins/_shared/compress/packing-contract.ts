import assert from 'node:assert/strict'
import { get } from 'node:http'
import { describe, it } from 'node:test'
import type { AnyPlugin } from '../../../src/plugin/api.ts'
import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { mountPlugin, refusal } from '../../../src/testing/mount-plugin.ts'
import type { UpstreamAnswer } from '../../../src/testing/plugin-request.ts'
import { startGateway } from '../../../src/testing/start-gateway.ts'
import { rawRequest } from '../../../test/support/raw-client.ts'

interface Packer {
  readonly plugin: AnyPlugin
  readonly coding: string
  unpack(bytes: Uint8Array): Buffer
  /** Unpacks what has come so far of a body that goes on. */
  unpackBegun(bytes: Uint8Array): Buffer
}

const PAGE = '<p>hello</p>'.repeat(100)

/** What is owed by every plugin that packs bodies. */
export function describePacking({ plugin, coding, unpack, unpackBegun }: Packer): void {
  const answered = (upstream: UpstreamAnswer, config = {}, request = {}) =>
    mountPlugin(plugin, config).request({
      headers: { 'accept-encoding': coding },
      upstream: { body: PAGE, ...upstream, headers: { 'Content-Type': 'text/html', ...upstream.headers } },
      ...request,
    })

  describe(`${plugin.name} packs`, () => {
    it('a body of a listed type for a client that takes it', async () => {
      const answer = await answered({ body: [PAGE, PAGE] })
      assert.equal(unpack(answer.bytes).toString(), PAGE + PAGE)
      assert.ok(answer.bytes.length < PAGE.length)
      assert.deepEqual(answer.headers.raw(), ['Content-Type', 'text/html', 'Content-Encoding', coding])
    })

    it('and drops or weakens what is no longer true', async () => {
      const headers = {
        ...{ 'Content-Length': '1200', 'Accept-Ranges': 'bytes', 'Content-MD5': 'x', ETag: '"e"' },
        'Last-Modified': 'x',
      }
      const { headers: sent } = await answered({ headers })
      assert.equal(sent.get('etag'), 'W/"e"')
      assert.equal(sent.get('last-modified'), 'x')
      for (const name of ['content-length', 'accept-ranges', 'content-md5']) assert.ok(!sent.has(name), name)
      assert.equal((await answered({ headers: { ETag: 'W/"e"' } })).headers.get('etag'), 'W/"e"')
    })

    it('types with parameters and in capitals, those that are listed, or all', async () => {
      const isPacked = async (type: string, config: Record<string, unknown> = {}) =>
        (await answered({ headers: { 'Content-Type': type } }, config)).headers.has('content-encoding')
      assert.equal(await isPacked('Text/HTML; charset=utf-8'), true)
      assert.equal(await isPacked('application/json'), false)
      assert.equal(await isPacked('application/json', { types: ['text/css', 'application/json'] }), true)
      assert.equal(await isPacked('text/html', { types: ['application/json'] }), false)
      assert.equal(await isPacked('image/x', { types: '*' }), true)
      assert.equal(await isPacked('application/grpc+proto', { types: '*' }), false)
    })

    it('from min_length on, where a length is told', async () => {
      const isPacked = async (length: string | undefined, config = {}) => {
        const headers = length === undefined ? {} : { 'Content-Length': length }
        return (await answered({ headers, body: 'x' }, config)).headers.has('content-encoding')
      }
      assert.equal(await isPacked('19'), false)
      assert.equal(await isPacked('20'), true)
      assert.equal(await isPacked(undefined), true)
      assert.equal(await isPacked('99', { min_length: 100 }), false)
    })

    it('and says Vary when asked to, once, to clients that take it and others', async () => {
      const vary = async (headers: Record<string, string>, accepted = coding) => {
        const request = { headers: { 'accept-encoding': accepted } }
        return (await answered({ headers }, { vary: true }, request)).headers.all('vary')
      }
      assert.deepEqual(await vary({}), ['Accept-Encoding'])
      assert.deepEqual(await vary({}, 'identity'), ['Accept-Encoding'])
      assert.deepEqual(await vary({ Vary: 'Origin' }), ['Origin', 'Accept-Encoding'])
      assert.deepEqual(await vary({ Vary: 'Origin, accept-encoding' }), ['Origin, accept-encoding'])
      assert.deepEqual(await vary({ Vary: '*' }), ['*'])
      assert.deepEqual(await vary({ 'Content-Type': 'image/png' }), [])
      assert.deepEqual((await answered({})).headers.all('vary'), [])
    })
  })

  describe(`${plugin.name} leaves alone`, () => {
    const untouched = async (upstream: UpstreamAnswer, request = {}) => {
      const answer = await answered({ headers: { ETag: '"e"' }, ...upstream }, {}, request)
      assert.notEqual(answer.headers.get('content-encoding'), coding)
      assert.equal(answer.headers.get('etag') ?? '"e"', '"e"')
    }

    it('clients that do not take it', async () => {
      await untouched({}, { headers: { 'accept-encoding': `${coding};q=0, identity` } })
      await untouched({}, { headers: {} })
    })

    it('HEAD, statuses without a body and parts of one', async () => {
      await untouched({}, { method: 'HEAD', headers: { 'accept-encoding': coding } })
      for (const status of [204, 205, 206, 304]) await untouched({ status })
      await untouched({ headers: { 'Content-Range': 'bytes 0-1/2' } })
    })

    it('what is packed already, and what may not be changed', async () => {
      await untouched({ headers: { 'Content-Encoding': 'zstd' } })
      await untouched({ headers: { 'Cache-Control': 'public, no-transform' } })
    })

    it("the gateway's own errors", async () => {
      const mounted = mountPlugin(plugin, { types: '*' })
      const headers = { 'accept-encoding': coding }
      assert.equal((await mounted.request({ headers, upstream: 'refused' })).body, 'error page 502')
    })
  })

  describe(`${plugin.name} in a gateway`, () => {
    it('holds no event back, and unpacks to the whole in the end', async (t) => {
      let goOn = () => {}
      const node = await fakeUpstream(t, (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write('data: first\n\n')
        goOn = () => response.end('data: second\n\n')
      })
      const gateway = await startGateway(t, {
        routes: {
          1: {
            uri: '/*',
            plugins: { [plugin.name]: { types: ['text/event-stream'] } },
            upstream: { nodes: { [node.address]: 1 } },
          },
        },
      })
      const bytes = await new Promise<Buffer>((resolve, reject) => {
        const chunks: Buffer[] = []
        const headers = { 'accept-encoding': coding }
        get(`${gateway.proxyUrl}/`, { headers, agent: false }, (response) => {
          response.on('data', (chunk: Buffer) => {
            chunks.push(chunk)
            if (unpackBegun(Buffer.concat(chunks)).toString() === 'data: first\n\n') goOn()
          })
          response.on('end', () => resolve(Buffer.concat(chunks)))
        }).on('error', reject)
      })
      assert.equal(unpack(bytes).toString(), 'data: first\n\ndata: second\n\n')
    })

    it('packs what other plugins have made of a body, from a global rule too', async (t) => {
      const html = { 'content-type': 'text/html' }
      const node = await fakeUpstream(t, (_request, response) => response.writeHead(200, html).end(PAGE))
      const filters = [{ regex: 'hello', replace: 'bye', scope: 'global' }]
      const gateway = await startGateway(t, {
        global_rules: { 1: { plugins: { [plugin.name]: {} } } },
        routes: {
          1: {
            uri: '/*',
            plugins: { 'response-rewrite': { filters }, echo: { after_body: '!' } },
            upstream: { nodes: { [node.address]: 1 } },
          },
        },
      })
      const response = await fetch(gateway.proxyUrl, { headers: { 'accept-encoding': coding } })
      assert.equal(response.headers.get('content-encoding'), coding)
      assert.equal(await response.text(), `${PAGE.replaceAll('hello', 'bye')}!`)
    })

    it('packs nothing that a plugin of the route keeps', async (t) => {
      const html = { 'content-type': 'text/html' }
      const node = await fakeUpstream(t, (_request, response) => response.writeHead(200, html).end(PAGE))
      const plugins = { 'proxy-cache': { cache_strategy: 'memory', cache_zone: 'memory_cache' } }
      const gateway = await startGateway(t, {
        global_rules: { 1: { plugins: { [plugin.name]: {} } } },
        routes: { 1: { uri: '/*', plugins, upstream: { nodes: { [node.address]: 1 } } } },
      })
      for (const accepted of [coding, 'identity', coding]) {
        const response = await fetch(gateway.proxyUrl, { headers: { 'accept-encoding': accepted } })
        assert.equal(response.headers.get('content-encoding'), accepted === coding ? coding : null)
        assert.equal(await response.text(), PAGE)
      }
      assert.equal(node.requests.length, 1)
    })

    it('packs for HTTP/1.0 only when told', async (t) => {
      const html = { 'content-type': 'text/html' }
      const node = await fakeUpstream(t, (_request, response) => response.writeHead(200, html).end(PAGE))
      const upstream = { nodes: { [node.address]: 1 } }
      const gateway = await startGateway(t, {
        routes: {
          1: { uri: '/new', plugins: { [plugin.name]: {} }, upstream },
          2: { uri: '/old', plugins: { [plugin.name]: { http_version: 1 } }, upstream },
        },
      })
      const codingFor = async (path: string) => {
        const head = `GET ${path} HTTP/1.0\r\nHost: a\r\nAccept-Encoding: ${coding}\r\n\r\n`
        return (await rawRequest(gateway.proxyPort, head)).headers['content-encoding']
      }
      assert.equal(await codingFor('/new'), undefined)
      assert.equal(await codingFor('/old'), coding)
    })
  })

  describe(`the configuration of ${plugin.name}`, () => {
    it('refuses what cannot be used', () => {
      const refused = (config: Record<string, unknown>) => refusal(plugin, config) ?? ''
      assert.equal(refused({}), '')
      assert.match(refused({ types: [] }), /^property "types" validation failed/)
      assert.match(refused({ types: 'text/html' }), /^property "types" validation failed/)
      assert.match(refused({ min_length: 0 }), /expected 0 to be at least 1/)
      assert.match(refused({ http_version: 2 }), /matches none of the enum values/)
      assert.match(refused({ comp_level: 12 }), /expected 12 to be at most/)
    })
  })
}
