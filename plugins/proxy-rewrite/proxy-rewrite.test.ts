import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import type { RequestInit } from '../../src/testing/plugin-request.ts'
import proxyRewrite from './index.ts'

async function sent(config: Record<string, unknown>, init: RequestInit = {}) {
  const answer = await mountPlugin(proxyRewrite, config).request(init)
  assert.ok(answer.sent)
  return answer.sent
}
const target = async (config: Record<string, unknown>, from: string, init: RequestInit = {}) =>
  (await sent(config, { target: from, ...init })).target

describe('proxy-rewrite with uri', () => {
  it("sends another path, the client's arguments behind it", async () => {
    assert.equal(await target({ uri: '/new' }, '/old'), '/new')
    assert.equal(await target({ uri: '/new' }, '/old?a=1&b=%20'), '/new?a=1&b=%20')
    assert.equal(await target({ uri: '/n?z=1' }, '/old?a=1'), '/n?z=1&a=1')
    assert.equal(await target({ uri: '/n?z=1' }, '/old'), '/n?z=1')
  })

  it('fills in variables', async () => {
    assert.equal(await target({ uri: '/v/$arg_id$uri' }, '/old?id=7'), '/v/7/old?id=7')
    assert.equal(await target({ uri: '/${http_x ?? none}/\\$uri' }, '/old'), '/none/%5C$uri')
  })

  it('escapes a question mark that came from a variable, and spaces', async () => {
    assert.equal(await target({ uri: '/v/$arg_p' }, '/?p=a%3Fb%20c'), '/v/a%3Fb%20c?p=a%3Fb%20c')
    assert.equal(await target({ uri: '/a b' }, '/'), '/a%20b')
  })

  it('keeps a percent sequence of its own text and escapes one from a variable', async () => {
    assert.equal(await target({ uri: '/a%20b/$arg_p' }, '/?p=%2541'), '/a%20b/%2541?p=%2541')
    assert.equal(await target({ uri: '/100%' }, '/'), '/100%25')
  })

  it('refuses a value that leads out of the path it stands in', async () => {
    const status = async (uri: string, from: string) =>
      (await mountPlugin(proxyRewrite, { uri }).request({ target: from })).status
    for (const value of ['..', '../admin', 'a/../../admin', '.', '..%2fadmin']) {
      assert.equal(await status('/v/$arg_p/end', `/?p=${value}`), 400, value)
    }
    assert.equal(await status('/v/.$arg_p', '/?p=.'), 400, 'together with the text beside it')
    for (const value of ['a..b', '...', '.a', 'a/b', '']) {
      assert.equal(await status('/v/$arg_p/end', `/?p=${value}`), 200, value)
    }
    assert.equal(await status('/v?q=$arg_p', '/?p=/../'), 200, 'a query has no segments')
    assert.equal(await status('/v/../$arg_p', '/?p=a'), 200, 'as it was configured')
  })

  it('lets no value break the request line', async () => {
    const line = '/?p=%0d%0aX-Evil:%201'
    assert.equal(await target({ uri: '/v/$arg_p' }, line), `/v/%0D%0AX-Evil:%201${line.slice(1)}`)
    assert.equal(await target({ uri: '/v?q=$arg_p' }, line), `/v?q=%0D%0AX-Evil:%201&${line.slice(2)}`)
  })

  it('wins over regex_uri', async () => {
    assert.equal(await target({ uri: '/a', regex_uri: ['.*', '/b'] }, '/old'), '/a')
  })
})

describe('proxy-rewrite with regex_uri', () => {
  it('uses the first pair whose pattern matches', async () => {
    const regex_uri = ['^/a/(.*)$', '/1/$1', '^/(a|b)/(.*)$', '/2/$2/${1}']
    assert.equal(await target({ regex_uri }, '/a/x?q=1'), '/1/x?q=1')
    assert.equal(await target({ regex_uri }, '/b/x'), '/2/x/b')
    assert.equal(await target({ regex_uri }, '/c/x?q=%41'), '/c/x?q=%41')
  })

  it('replaces what matched and keeps the rest of the path', async () => {
    assert.equal(await target({ regex_uri: ['/v1', '/v2'] }, '/api/v1/users'), '/api/v2/users')
  })

  it('matches the decoded path and sends it encoded again', async () => {
    assert.equal(await target({ regex_uri: ['^/x/(.*)', '/y/$1'] }, '/x/a%20b%3Fc'), '/y/a%20b%3Fc')
    assert.equal(await target({ regex_uri: ['^/x/(.*)', '/y/$1'] }, '/x/%C3%A9%25'), '/y/%C3%A9%25')
  })

  it('begins a query with a question mark of the replacement, never with one of the path', async () => {
    const regex_uri = ['^/x/(.*)', '/y?p=$1']
    assert.equal(await target({ regex_uri }, '/x/1?q=2'), '/y?p=1&q=2')
    assert.equal(await target({ regex_uri: ['^/x/(.*)', '/$1/y'] }, '/x/a%3Fb'), '/a%3Fb/y')
  })

  it('always sends a path that begins with a slash', async () => {
    assert.equal(await target({ regex_uri: ['^/x/(.*)', '$1'] }, '/x/http://evil/'), '/http:/evil/')
  })
})

describe('proxy-rewrite with use_real_request_uri_unsafe', () => {
  it('sends what the client sent, not the canonical form', async () => {
    const raw = '/a/../b//c?x=1'
    assert.equal(await target({}, raw), '/b/c?x=1')
    assert.equal(await target({ use_real_request_uri_unsafe: true }, raw), raw)
  })

  it('matches and rewrites the raw target, query included', async () => {
    const config = { use_real_request_uri_unsafe: true, regex_uri: ['^/a%2F(.*)', '/z/$1'] }
    assert.equal(await target(config, '/a%2Fb%20c?x=1'), '/z/b%20c?x=1')
  })
})

describe('proxy-rewrite with method and host', () => {
  it('sends another method and host', async () => {
    const request = await sent({ method: 'POST', host: 'inner.test:8080' })
    assert.equal(request.method, 'POST')
    assert.equal(request.host, 'inner.test:8080')
  })

  it('changes nothing that is not configured', async () => {
    const request = await sent({}, { method: 'PUT', target: '/a%2fb?c' })
    assert.deepEqual([request.method, request.host, request.target], ['PUT', undefined, '/a%2fb?c'])
  })
})

describe('proxy-rewrite with headers', () => {
  it('sets with a flat map, adds beside what is there, removes', async () => {
    const flat = await sent({ headers: { 'X-A': 'new', 'X-N': 7 } }, { headers: { 'x-a': 'old' } })
    assert.deepEqual(flat.headers.all('x-a'), ['new'])
    assert.equal(flat.headers.get('x-n'), '7')
    const operations = { add: { 'X-A': 'b' }, set: { 'X-S': ['1', '2'] }, remove: ['X-R'] }
    const request = await sent({ headers: operations }, { headers: { 'X-A': 'a', 'x-r': 'gone' } })
    assert.deepEqual(request.headers.all('x-a'), ['a', 'b'])
    assert.deepEqual(request.headers.all('x-s'), ['1', '2'])
    assert.equal(request.headers.has('x-r'), false)
  })

  it('fills in variables and captures of regex_uri', async () => {
    const config = {
      regex_uri: ['^/u/(\\w+)/(\\w+)', '/p/$2'],
      headers: { set: { 'X-User': '$1', 'X-From': '$remote_addr of $1', 'X-Uri': '$uri' } },
    }
    const { headers } = await sent(config, { target: '/u/ann/photos' })
    assert.equal(headers.get('x-user'), 'ann')
    assert.equal(headers.get('x-from'), '192.0.2.1 of ann')
    assert.equal(headers.get('x-uri'), '/u/ann/photos')
  })

  it('does not send a header whose value comes to nothing', async () => {
    const config = { headers: { set: { 'X-A': '$http_none', 'X-B': '' }, add: { 'X-C': '$arg_none' } } }
    const { headers } = await sent(config, { headers: { 'X-A': 'old', 'X-B': 'old' } })
    assert.deepEqual(
      ['x-a', 'x-b', 'x-c'].map((name) => headers.has(name)),
      [false, false, false],
    )
  })

  it('lets no value add a line', async () => {
    const { headers } = await sent(
      { headers: { 'X-Q': 'q=$arg_q' } },
      { target: '/?q=a%0d%0aX-Evil:%20yes%00' },
    )
    assert.equal(headers.get('x-q'), 'q=a X-Evil: yes')
    assert.equal(headers.has('x-evil'), false)
  })

  it('sends what is not ASCII as UTF-8', async () => {
    const { headers } = await sent({ headers: { 'X-A': 'é', 'X-B': '$arg_q' } }, { target: '/?q=%E2%82%AC' })
    assert.equal(Buffer.from(headers.get('x-a') ?? '', 'latin1').toString(), 'é')
    assert.equal(Buffer.from(headers.get('x-b') ?? '', 'latin1').toString(), '€')
  })
})

describe('the configuration of proxy-rewrite', () => {
  const refused = (config: Record<string, unknown>) => refusal(proxyRewrite, config)

  it('may be empty', () => {
    assert.equal(refused({}), undefined)
  })

  it('refuses what cannot be used, in the words of APISIX', () => {
    assert.match(refused({ uri: 'a' }) ?? '', /^property "uri" validation failed: failed to match pattern/)
    assert.equal(refused({ regex_uri: ['a', 'b', 'c'] }), 'The length of regex_uri should be an even number')
    assert.match(refused({ regex_uri: ['(', 'b'] }) ?? '', /^invalid regex_uri\(\(, b\): /)
    assert.match(refused({ regex_uri: ['(?>a)', 'b'] }) ?? '', /^invalid regex_uri\(\(\?>a\), b\): /)
    assert.match(
      refused({ regex_uri: ['^(a+)+\\1$', 'b'] }) ?? '',
      /exponential time, and has a back-reference/,
    )
    assert.match(refused({ regex_uri: ['a', '/$name'] }) ?? '', /names no capture; write \$1/)
    assert.match(refused({ method: 'get' }) ?? '', /matches none of the enum values/)
    assert.match(refused({ host: 'a b' }) ?? '', /^property "host"/)
    assert.equal(refused({ headers: { 'X-A': 'a\nb' } }), 'invalid value character in header')
    assert.equal(refused({ headers: { set: { 'X-A': 'a\r' } } }), 'invalid value character in header')
    assert.equal(refused({ headers: { 'X A': 'a' } }), 'invalid field character in header')
    assert.match(refused({ headers: {} }) ?? '', /^property "headers"/)
  })
})
