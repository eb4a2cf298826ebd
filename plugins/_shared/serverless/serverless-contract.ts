import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { AnyPlugin } from '../../../src/plugin/api.ts'
import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { mountPlugin, refusal } from '../../../src/testing/mount-plugin.ts'
import { startGateway } from '../../../src/testing/start-gateway.ts'

/** What both serverless plugins owe. */
export function describeServerless(plugin: AnyPlugin): void {
  const mount = (phase: string | undefined, ...functions: string[]) =>
    mountPlugin(plugin, { functions, ...(phase !== undefined && { phase }) })

  describe(`${plugin.name} in a phase of the request`, () => {
    for (const phase of ['rewrite', 'access', 'before_proxy', undefined]) {
      it(`${phase ?? 'by default'} changes the request and lets it go on`, async () => {
        const mounted = mount(phase, '(conf, ctx) => { ctx.headers.set("X-Phase", String(conf.phase)) }')
        const { sent } = await mounted.request()
        assert.equal(sent?.headers.get('x-phase'), phase ?? 'access')
      })

      it(`${phase ?? 'by default'} answers with [code, body]`, async () => {
        const answer = await mount(phase, 'function (conf, ctx) { return [403, "no " + ctx.path] }').request()
        assert.deepEqual([answer.status, answer.body, answer.sent], [403, 'no /', undefined])
      })
    }

    it('takes every form of an answer', async () => {
      const answered = async (returned: string) => {
        const { status, body, headers } = await mount('access', `() => (${returned})`).request()
        return [status, body, headers.get('x-a')]
      }
      assert.deepEqual(await answered('401'), [401, 'error page 401', undefined])
      assert.deepEqual(await answered('[401]'), [401, 'error page 401', undefined])
      assert.deepEqual(await answered('[201, {a: 1}]'), [201, '{"a":1}\n', undefined])
      assert.deepEqual(await answered('[undefined, "hi"]'), [200, 'hi', undefined])
      assert.deepEqual(await answered('[200, 7]'), [200, '7', undefined])
      assert.deepEqual(await answered('{status: 202, headers: {"X-A": "b"}}'), [202, 'error page 202', 'b'])
      for (const nothing of ['undefined', 'null', 'false', '[]', '[null, undefined]'])
        assert.deepEqual(await answered(nothing), [200, 'ok', undefined], nothing)
    })

    it('calls one function after the other until one answers, and waits for promises', async () => {
      const note = (name: string) => `(conf, ctx) => { ctx.headers.append("X-Ran", "${name}") }`
      const later = 'async (conf, ctx) => { await null; ctx.headers.append("X-Ran", "b") }'
      const mounted = mount('access', note('a'), later, note('c'), 'async () => [200, "d"]', note('e'))
      const { body, context } = await mounted.request()
      assert.equal(body, 'd')
      assert.deepEqual(context.headers.all('x-ran'), ['a', 'b', 'c'])
    })

    it('fails when a function throws, rejects, or returns what is no answer', async () => {
      await assert.rejects(mount('access', '() => { throw new Error("mine") }').request(), /mine/)
      await assert.rejects(mount('access', 'async () => { throw new Error("mine") }').request(), /mine/)
      await assert.rejects(
        mount('access', '() => "x"').request(),
        /functions\[0\] returned a value of type string/,
      )
      await assert.rejects(
        mount('access', '() => {}', '() => [99]').request(),
        /functions\[1\].* status 99; use 200/,
      )
      await assert.rejects(mount('access', '() => ["200"]').request(), /status a value of type string/)
    })
  })

  describe(`${plugin.name} in a phase of the response`, () => {
    it('changes status and headers', async () => {
      const source = '(conf, ctx) => { ctx.response.status = 201; ctx.response.headers.set("X-A", "b") }'
      const { status, headers } = await mount('header_filter', source).request()
      assert.deepEqual([status, headers.get('x-a')], [201, 'b'])
    })

    it('gets every part of the body and the end of it', async () => {
      const upper = '(conf, ctx, chunk) => chunk.toString().toUpperCase()'
      const close = '(conf, ctx, chunk, isLast) => (isLast ? Buffer.from("!") : undefined)'
      const upstream = { body: ['a', 'b'], headers: { 'Content-Encoding': 'x' } }
      const answer = await mount('body_filter', upper, close).request({ upstream })
      assert.equal(answer.body, 'AB!')
      assert.equal(answer.headers.get('content-encoding'), 'x')
    })

    it('drops what becomes empty, and keeps bytes that no function touches', async () => {
      const body = gzipSync('hello')
      const kept = await mount('body_filter', '() => {}').request({ upstream: { body } })
      assert.deepEqual([...kept.bytes], [...body])
      assert.equal((await mount('body_filter', '() => ""').request()).body, '')
      await assert.rejects(
        mount('body_filter', '() => 7').request(),
        /functions\[0\] returned a value of type number/,
      )
    })

    it('runs when all is over', async () => {
      const key = `serverless ${plugin.name}`
      const seen = globalThis as unknown as Record<string, unknown>
      await mount(
        'log',
        `(conf, ctx) => { globalThis[${JSON.stringify(key)}] = ctx.response.status }`,
      ).request()
      assert.equal(seen[key], 200)
      delete seen[key]
    })
  })

  describe(`the configuration of ${plugin.name}`, () => {
    it('refuses Lua with a sentence that shows the JavaScript form', () => {
      const lua = 'return function(conf, ctx) ngx.log(ngx.ERR, "x"); return 401 end'
      assert.match(
        refusal(plugin, { functions: [lua] }) ?? '',
        /^failed to loadstring: Lua source is not run here; write it in JavaScript .*function \(conf, ctx\)/,
      )
      assert.match(refusal(plugin, { functions: [lua], phase: 'body_filter' }) ?? '', /chunk, isLast/)
    })

    it('refuses what is no function, or one that a phase cannot wait for', () => {
      const refused = (source: string, phase = 'access') =>
        refusal(plugin, { functions: ['() => {}', source], phase }) ?? ''
      assert.match(refused('42'), /^failed to loadstring: not a function/)
      assert.match(refused('function ('), /^failed to loadstring: Unexpected/)
      assert.equal(refused('async () => {}'), '')
      assert.match(refused('async () => {}', 'log'), /functions\[1\] .* in phase log, .* neither async/)
      assert.match(refused('async () => {}', 'body_filter'), /neither async/)
      assert.match(refused('function* () {}'), /nor a generator/)
      assert.match(refusal(plugin, {}) ?? '', /property "functions" is required/)
      assert.match(refusal(plugin, { functions: [] }) ?? '', /at least 1 items/)
      assert.match(
        refusal(plugin, { functions: ['() => {}'], phase: 'init' }) ?? '',
        /none of the enum values/,
      )
    })
  })

  describe(`${plugin.name} in a gateway`, () => {
    it('reads the body of a request; what it throws is a bare 500, and its words are for the log', async (t) => {
      const node = await fakeUpstream(t)
      const source = `async (conf, ctx) => {
        const body = (await ctx.readBody(1024)).toString()
        if (body === 'boom') throw new Error('secret words')
        return [200, { got: body }]
      }`
      const plugins = { [plugin.name]: { functions: [source] } }
      const gateway = await startGateway(t, {
        routes: { 1: { uri: '/*', plugins, upstream: { nodes: { [node.address]: 1 } } } },
      })
      const post = async (body: string) => {
        const response = await fetch(gateway.proxyUrl, { method: 'POST', body })
        return [response.status, await response.text()]
      }
      assert.deepEqual(await post('hi'), [200, '{"got":"hi"}\n'])
      assert.deepEqual(await post('boom'), [500, '{"error_msg":"500 Internal Server Error"}\n'])
      assert.ok(gateway.logs.some((line) => JSON.stringify(line).includes('secret words')))
    })
  })
}
