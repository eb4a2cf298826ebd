import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { type MountedPlugin, type MountOptions, mountPlugin } from '../../src/testing/mount-plugin.ts'
import type { Answer, RequestInit, UpstreamAnswer } from '../../src/testing/plugin-request.ts'
import { eventually } from '../../test/support/watch-recording.ts'
import proxyCache from './index.ts'

/** What says who asks, beside `Authorization`; openid-connect sets most of them. */
const CREDENTIALS = [
  ...['X-Userinfo', 'X-Access-Token', 'X-ID-Token', 'X-Raw-ID-Token', 'X-Refresh-Token'],
  'Proxy-Authorization',
]

const MEGABYTE = 1024 * 1024
const MEMORY = { name: 'memory_cache', memory_bytes: MEGABYTE }
const IN_MEMORY = { cache_strategy: 'memory', cache_zone: 'memory_cache' }

const mount = (config: Record<string, unknown> = {}, options: MountOptions = {}): MountedPlugin =>
  mountPlugin(proxyCache, { ...IN_MEMORY, ...config }, { attr: { zones: [MEMORY] }, ...options })

const statusOf = ({ headers }: Answer) => headers.get('apisix-cache-status')

/** Sends a request again and again; the cache's word for each. */
async function words(mounted: MountedPlugin, ...requests: RequestInit[]): Promise<unknown[]> {
  const seen: unknown[] = []
  for (const request of requests) seen.push(statusOf(await mounted.request(request)))
  return seen
}

const twice = (request: RequestInit = {}) => [request, request] as const
const answering = (upstream: UpstreamAnswer, rest: RequestInit = {}): RequestInit => ({ ...rest, upstream })
const withHeaders = (headers: Record<string, string>, rest: RequestInit = {}) => answering({ headers }, rest)

describe('proxy-cache in memory', () => {
  it('answers with what the upstream has answered, with its age, and asks nobody', async () => {
    const mounted = mount()
    const upstream = { headers: { ETag: '"1"', 'X-Twice': ['a', 'b'] }, body: ['one ', 'two'] }
    const first = await mounted.request({ upstream })
    assert.equal(statusOf(first), 'MISS')
    mounted.advance(1500)
    const second = await mounted.request({ upstream: { body: 'other' } })
    assert.equal(second.sent, undefined)
    assert.equal(statusOf(second), 'HIT')
    assert.equal(second.body, 'one two')
    assert.equal(second.headers.get('age'), '1')
    assert.deepEqual(second.headers.all('x-twice'), ['a', 'b'])
    assert.equal(second.headers.has('content-type'), false)
  })

  it('keeps an answer for cache_ttl and says EXPIRED when it asks again', async () => {
    const mounted = mount({ cache_ttl: 10 })
    await mounted.request()
    mounted.advance(9999)
    assert.deepEqual(await words(mounted, {}), ['HIT'])
    mounted.advance(1)
    assert.deepEqual(await words(mounted, {}, {}), ['EXPIRED', 'HIT'])
  })

  it('adds the age that the answer came with', async () => {
    const mounted = mount()
    await mounted.request(withHeaders({ Age: '20' }))
    mounted.advance(2000)
    assert.equal((await mounted.request()).headers.get('age'), '22')
  })

  it('tells apart scheme, host, path and query, in every encoding, whatever cache_key says', async () => {
    const mounted = mount({ cache_key: ['$request_uri'] })
    const requests: RequestInit[] = [
      { target: '/a' },
      { target: '/a?x' },
      { target: '/a%3Fx' },
      { target: '/%61' },
      { target: '/a', scheme: 'https' },
      { target: '/a', headers: { Host: 'gateway.test:8080' } },
    ]
    for (const request of requests) assert.deepEqual(await words(mounted, request), ['MISS'])
    for (const request of requests) assert.deepEqual(await words(mounted, request), ['HIT'])
  })

  it('tells encodings apart under $uri too, and lets the query be left out of the key', async () => {
    const mounted = mount({ cache_key: ['$uri', 'v1'] })
    assert.deepEqual(await words(mounted, { target: '/a/b' }, { target: '/a%2Fb' }, { target: '/a/b?x=1' }), [
      'MISS',
      'MISS',
      'HIT',
    ])
  })

  it('does not take the parts of a key for one another', async () => {
    const mounted = mount({ cache_key: ['$arg_a', '$arg_b'] })
    assert.deepEqual(await words(mounted, { target: '/?a=1&b=23' }, { target: '/?a=12&b=3' }), [
      'MISS',
      'MISS',
    ])
  })

  it('keeps routes apart', async () => {
    const mounted = mount()
    assert.deepEqual(
      await words(mounted, { route: { id: 'a' } }, { route: { id: 'b' } }, { route: { id: 'a' } }),
      ['MISS', 'MISS', 'HIT'],
    )
  })

  it('keeps what it serves apart from what is done to it on the way', async () => {
    const mounted = mount()
    await mounted.request({ upstream: { body: 'text' } })
    const first = await mounted.request()
    first.bytes.fill(0)
    assert.equal((await mounted.request()).body, 'text')
  })

  const uncached: Readonly<Record<string, RequestInit>> = {
    'one that sets a cookie': withHeaders({ 'Set-Cookie': 'a=1' }),
    'a private one': withHeaders({ 'Cache-Control': 'max-age=60, Private' }),
    'one that forbids it': withHeaders({ 'Cache-Control': 'no-store' }),
    'one to be checked each time': withHeaders({ 'Cache-Control': 'no-cache="set-cookie"' }),
    'one that varies by anything': withHeaders({ Vary: 'Accept, *' }),
    'one with another status': answering({ status: 500 }),
    'a stream of events': withHeaders({ 'Content-Type': 'text/event-stream' }),
    'a part, whatever its status says': withHeaders({ 'Content-Range': 'bytes 0-1/9' }),
    'one that is announced as too long': withHeaders({ 'Content-Length': '2000' }),
    'one that is too long': answering({ body: ['x'.repeat(800), 'x'.repeat(800)] }),
    'one of another method': { method: 'PUT' },
  }
  for (const [name, request] of Object.entries(uncached)) {
    it(`stores no answer: ${name}`, async () => {
      const mounted = mount({ max_resp_body_size: 1000 })
      assert.deepEqual(await words(mounted, ...twice(request)), ['MISS', 'MISS'])
    })
  }

  it('stores no answer that the gateway made, nor a part, nor what only one client can use', async () => {
    const mounted = mount({ cache_http_status: [200, 206, 304, 400, 416, 431, 502] })
    assert.deepEqual(await words(mounted, ...twice({ upstream: 'refused' })), ['MISS', 'MISS'])
    for (const status of [206, 304, 400, 416, 431]) {
      assert.deepEqual(
        await words(mounted, ...twice(answering({ status }))),
        ['MISS', 'MISS'],
        String(status),
      )
    }
  })

  it('stores cookies when told to, and the statuses and methods that it is told', async () => {
    const mounted = mount({ cache_set_cookie: true, cache_http_status: [503], cache_method: ['POST'] })
    const request = answering({ status: 503, headers: { 'Set-Cookie': ['a=1', 'b=2'] } }, { method: 'POST' })
    assert.equal(statusOf(await mounted.request(request)), 'MISS')
    const answer = await mounted.request(request)
    assert.equal(statusOf(answer), 'HIT')
    assert.deepEqual(answer.headers.all('set-cookie'), ['a=1', 'b=2'])
    assert.deepEqual(await words(mounted, ...twice({ method: 'GET' })), ['MISS', 'MISS'])
  })

  it('takes the body of a POST for a part of the question', async () => {
    const mounted = mount({ cache_method: ['GET', 'POST'] })
    const post = (body: string): RequestInit => ({ method: 'POST', body, upstream: { body: `re: ${body}` } })
    assert.deepEqual(await words(mounted, post('a'), post('b'), {}), ['MISS', 'MISS', 'MISS'])
    assert.equal((await mounted.request(post('a'))).body, 're: a')
    assert.deepEqual(await words(mounted, post('x'.repeat(2 * MEGABYTE))), ['BYPASS'])
  })

  it('answers a HEAD from what a GET has brought, and stores none', async () => {
    const mounted = mount()
    const head: RequestInit = { method: 'HEAD', upstream: { headers: { 'Content-Length': '9' }, body: '' } }
    assert.deepEqual(await words(mounted, ...twice(head)), ['MISS', 'MISS'])
    assert.deepEqual(await words(mounted, {}, head), ['MISS', 'HIT'])
  })

  it('passes a GET with a body by, and whoever wants to switch protocols', async () => {
    const mounted = mount()
    await mounted.request()
    assert.deepEqual(await words(mounted, { body: 'fat' }, { headers: { Upgrade: 'websocket' } }), [
      'BYPASS',
      'BYPASS',
    ])
  })

  it('forgets an answer with all its variants when asked to PURGE it', async () => {
    const mounted = mount()
    const vary = { headers: { Vary: 'Accept-Language' } }
    const inLanguage = (language: string) => answering(vary, { headers: { 'Accept-Language': language } })
    await mounted.request(inLanguage('de'))
    await mounted.request(inLanguage('fr'))
    const purged = await mounted.request({ method: 'PURGE' })
    assert.equal(purged.status, 200)
    assert.equal(purged.sent, undefined)
    assert.equal((await mounted.request({ method: 'PURGE' })).status, 404)
    assert.deepEqual(await words(mounted, inLanguage('de'), inLanguage('fr')), ['MISS', 'MISS'])
  })

  it('tells answers apart by what they vary by, as the client sent it', async () => {
    const mounted = mount()
    const request = (language: string) =>
      answering({ headers: { Vary: 'accept-LANGUAGE' } }, { headers: { 'Accept-Language': language } })
    assert.deepEqual(await words(mounted, request('de'), request('fr'), request('de'), request('fr')), [
      'MISS',
      'MISS',
      'HIT',
      'HIT',
    ])
  })

  it('keeps consumers apart unless told otherwise', async () => {
    const asks = async (config: Record<string, unknown>) => {
      const mounted = mount(config)
      const seen: unknown[] = []
      for (const name of ['jack', 'jane', 'jack']) {
        seen.push(statusOf(await mounted.request({ consumer: { name } })))
      }
      return seen
    }
    assert.deepEqual(await asks({}), ['MISS', 'MISS', 'HIT'])
    assert.deepEqual(await asks({ consumer_isolation: false }), ['MISS', 'HIT', 'HIT'])
  })

  it('hides the headers for caches when told to, not its own', async () => {
    const mounted = mount({ hide_cache_headers: true })
    const request = withHeaders({ 'Cache-Control': 'max-age=60', Expires: 'Thu, 01 Jan 2026 00:01:00 GMT' })
    for (const word of ['MISS', 'HIT']) {
      const answer = await mounted.request(request)
      assert.equal(statusOf(answer), word)
      assert.equal(answer.headers.has('cache-control') || answer.headers.has('expires'), false)
    }
  })

  it('asks the upstream when a condition of cache_bypass has a value, and stores nothing for no_cache', async () => {
    const mounted = mount({ cache_bypass: ['$arg_fresh'], no_cache: ['$arg_once', '$http_x_once'] })
    const fresh = { target: '/?fresh=1' }
    assert.deepEqual(await words(mounted, ...twice(fresh)), ['BYPASS', 'BYPASS'])
    assert.deepEqual(await words(mounted, ...twice({ target: '/?fresh=0' })), ['MISS', 'HIT'])
    assert.deepEqual(await words(mounted, ...twice({ target: '/?once=1' })), ['MISS', 'MISS'])
    const once = { target: '/x', headers: { 'X-Once': 'yes' } }
    assert.deepEqual(await words(mounted, ...twice(once)), ['MISS', 'MISS'])
  })

  it('counts what it does', async () => {
    const mounted = mount()
    await words(mounted, {}, {}, {})
    const text = mounted.metrics.expose()
    assert.match(text, /proxy_cache_requests_total\{zone="memory_cache",status="HIT"\} 2/)
    assert.match(text, /proxy_cache_entries\{zone="memory_cache"\} 1/)
  })

  it('shares a zone between configurations, and lets go of it with the last', async () => {
    const mounted = mount()
    await mounted.request()
    const second = mount({ cache_ttl: 20 }, { beside: mounted })
    assert.deepEqual(await words(second, {}), ['HIT'])
    await mounted.dispose()
    assert.deepEqual(await words(second, {}), ['HIT'])
    await second.dispose()
    assert.doesNotMatch(mounted.metrics.expose(), /proxy_cache_entries\{/)
  })

  it('lets the first of several configurations on one request decide', async () => {
    const mounted = mount()
    mounted.add({ ...IN_MEMORY, cache_key: ['other'] })
    assert.deepEqual(await words(mounted, ...twice()), ['MISS', 'HIT'])
  })
})

describe('proxy-cache and credentials', () => {
  const secret = (headers: Record<string, string> = {}) =>
    withHeaders(headers, { headers: { Authorization: 'Bearer x' } })

  it('shares no answer to a request with Authorization, nor answers it from what others got', async () => {
    const mounted = mount()
    assert.deepEqual(await words(mounted, secret(), {}, secret()), ['BYPASS', 'MISS', 'BYPASS'])
  })

  it('shares what the upstream says is for everyone', async () => {
    for (const directive of ['public', 's-maxage=60', 'must-revalidate']) {
      const mounted = mount()
      const asked = secret({ 'Cache-Control': directive })
      assert.deepEqual(await words(mounted, asked, asked, {}), ['MISS', 'HIT', 'HIT'], directive)
    }
  })

  it('keeps an answer for each value when the key is told to hold it', async () => {
    const mounted = mount({ cache_key: ['$request_uri', '$http_authorization'] })
    const other = { headers: { Authorization: 'Bearer y' } }
    assert.deepEqual(await words(mounted, secret(), secret(), other, {}), ['MISS', 'HIT', 'MISS', 'MISS'])
  })

  it('takes what a plugin found out about the client for credentials too', async () => {
    const mounted = mount()
    for (const name of CREDENTIALS) {
      assert.deepEqual(await words(mounted, ...twice({ headers: { [name]: 'x' } })), ['BYPASS', 'BYPASS'])
    }
  })
})

describe('proxy-cache with cache_control', () => {
  const asking = (directive: string, rest: RequestInit = {}): RequestInit => ({
    ...rest,
    headers: { 'Cache-Control': directive },
  })

  it('takes the time from the answer: s-maxage, max-age, Expires, or none', async () => {
    const cases: [headers: Record<string, string>, seconds: number][] = [
      [{ 'Cache-Control': 'max-age=5, s-maxage=20' }, 20],
      [{ 'Cache-Control': 'max-age=5' }, 5],
      [{ Expires: 'Thu, 01 Jan 2026 00:00:30 GMT' }, 30],
      [{ Expires: '0' }, 0],
      [{ 'Cache-Control': 'max-age=soon' }, 0],
      [{}, 0],
    ]
    for (const [headers, seconds] of cases) {
      const mounted = mount({ cache_control: true })
      await mounted.request(withHeaders(headers))
      const first = statusOf(await mounted.request(withHeaders(headers)))
      assert.equal(first, seconds === 0 ? 'MISS' : 'HIT', JSON.stringify(headers))
      if (seconds === 0) continue
      mounted.advance(seconds * 1000)
      assert.deepEqual(await words(mounted, {}), ['EXPIRED'], JSON.stringify(headers))
    }
  })

  it('follows the request: no-cache and no-store, max-age, min-fresh, only-if-cached', async () => {
    const mounted = mount({ cache_control: true })
    const answer = { headers: { 'Cache-Control': 'max-age=100' } }
    const upstream = answer
    const nobody = await mounted.request(asking('only-if-cached'))
    assert.deepEqual([nobody.status, statusOf(nobody), nobody.sent], [504, 'MISS', undefined])
    await mounted.request({ upstream })
    assert.deepEqual(await words(mounted, asking('no-cache'), asking('no-store'), asking('only-if-cached')), [
      'BYPASS',
      'BYPASS',
      'HIT',
    ])
    mounted.advance(50_000)
    assert.deepEqual(await words(mounted, asking('max-age=60'), asking('min-fresh=40')), ['HIT', 'HIT'])
    assert.deepEqual(await words(mounted, asking('max-age=40', { upstream })), ['STALE'])
    mounted.advance(70_000)
    assert.deepEqual(await words(mounted, asking('min-fresh=40', { upstream })), ['STALE'])
  })

  it('does none of it unless told', async () => {
    const mounted = mount()
    await mounted.request()
    assert.deepEqual(await words(mounted, asking('no-cache'), asking('max-age=0')), ['HIT', 'HIT'])
  })
})

describe('proxy-cache and conditions', () => {
  const modified = 'Wed, 31 Dec 2025 00:00:00 GMT'
  const upstream = { headers: { ETag: '"v1"', 'Last-Modified': modified, 'X-Other': '1' }, body: 'text' }
  const given = (headers: Record<string, string>, rest: RequestInit = {}): RequestInit => ({
    ...rest,
    headers,
  })

  const answered: [headers: Record<string, string>, status: number][] = [
    [{ 'If-None-Match': '"v1"' }, 304],
    [{ 'If-None-Match': '"v0", W/"v1"' }, 304],
    [{ 'If-None-Match': '*' }, 304],
    [{ 'If-None-Match': '"v2"' }, 200],
    [{ 'If-None-Match': 'v1' }, 200],
    [{ 'If-None-Match': '"v2"', 'If-Modified-Since': modified }, 200],
    [{ 'If-Modified-Since': modified }, 304],
    [{ 'If-Modified-Since': 'Thu, 01 Jan 2026 00:00:00 GMT' }, 304],
    [{ 'If-Modified-Since': 'Tue, 30 Dec 2025 00:00:00 GMT' }, 200],
    [{ 'If-Modified-Since': 'yesterday' }, 200],
    [{ Range: 'bytes=0-1' }, 200],
    [{ Range: 'bytes=0-1', 'If-Range': '"v0"' }, 200],
  ]
  for (const [headers, status] of answered) {
    it(`answers ${JSON.stringify(headers)} with ${status}, and with the whole body or none`, async () => {
      const mounted = mount()
      await mounted.request({ upstream })
      const answer = await mounted.request(given(headers))
      assert.deepEqual([answer.status, statusOf(answer), answer.sent], [status, 'HIT', undefined])
      assert.equal(answer.headers.get('etag'), '"v1"')
      if (status === 200) assert.equal(answer.body, 'text')
      else assert.equal(answer.headers.has('x-other'), false)
    })
  }

  it('asks the upstream what only it can know', async () => {
    const mounted = mount()
    await mounted.request({ upstream })
    assert.deepEqual(
      await words(mounted, given({ 'If-Match': '"v1"' }), given({ 'If-Unmodified-Since': modified })),
      ['BYPASS', 'BYPASS'],
    )
  })

  it('stores nothing that was asked for under a condition or in part', async () => {
    for (const name of ['If-None-Match', 'If-Modified-Since', 'Range']) {
      const mounted = mount()
      await mounted.request(given({ [name]: 'x' }, { upstream }))
      assert.deepEqual(await words(mounted, {}), ['MISS'], name)
    }
  })
})

describe('proxy-cache on disk', () => {
  async function mountOnDisk(t: TestContext, config: Record<string, unknown> = {}) {
    const folder = await mkdtemp(join(tmpdir(), 'gatewright-proxy-cache-'))
    const zone = {
      name: 'disk_cache_one',
      memory_bytes: MEGABYTE,
      disk_bytes: MEGABYTE,
      folder,
      levels: [1, 2],
    }
    const mounted = mountPlugin(proxyCache, config, { attr: { zones: [zone], cache_ttl_ms: 10_000 } })
    t.after(async () => {
      await mounted.dispose()
      await rm(folder, { recursive: true, force: true })
    })
    return mounted
  }

  /** Until what was asked for is on the disk. */
  async function stored(mounted: MountedPlugin, request: RequestInit): Promise<Answer> {
    await mounted.request(request)
    await eventually('the answer is on the disk', () =>
      /entries\{[^}]*\} [1-9]/.test(mounted.metrics.expose()),
    )
    return mounted.request({ ...request, upstream: { body: 'not asked' } })
  }

  it('answers with what the upstream has answered, small and large', async (t) => {
    for (const body of ['text', 'x'.repeat(200_000)]) {
      const mounted = await mountOnDisk(t)
      const answer = await stored(mounted, { upstream: { body } })
      assert.equal(statusOf(answer), 'HIT')
      assert.equal(answer.body, body)
    }
  })

  it('keeps an answer as long as the upstream says, or the settings when it does not', async (t) => {
    const cases: [headers: Record<string, string>, seconds: number][] = [
      [{}, 10],
      [{ 'Cache-Control': 'max-age=5' }, 5],
      [{ 'Cache-Control': 's-maxage=7, max-age=5' }, 7],
      [{ 'X-Accel-Expires': '3', 'Cache-Control': 'max-age=5' }, 3],
      [{ 'X-Accel-Expires': `@${Date.UTC(2026, 0, 1, 0, 0, 4) / 1000}` }, 4],
      [{ Expires: 'Thu, 01 Jan 2026 00:00:08 GMT' }, 8],
    ]
    for (const [headers, seconds] of cases) {
      const mounted = await mountOnDisk(t)
      assert.equal(statusOf(await stored(mounted, withHeaders(headers))), 'HIT', JSON.stringify(headers))
      mounted.advance(seconds * 1000 - 1)
      assert.deepEqual(await words(mounted, {}), ['HIT'], JSON.stringify(headers))
      mounted.advance(1)
      assert.deepEqual(await words(mounted, { upstream: { status: 500 } }), ['EXPIRED'])
    }
  })

  it('says BYPASS for methods that are not cached, and refreshes what cache_bypass passes by', async (t) => {
    const mounted = await mountOnDisk(t, { cache_bypass: ['$http_x_fresh'] })
    assert.deepEqual(await words(mounted, { method: 'PUT' }), ['BYPASS'])
    const fresh = { headers: { 'X-Fresh': '1' }, upstream: { body: 'new' } }
    const answer = await stored(mounted, fresh)
    assert.equal(statusOf(answer), 'BYPASS')
    await stored(mounted, fresh)
    const found = await mounted.request()
    assert.equal(statusOf(found), 'HIT')
  })
})
