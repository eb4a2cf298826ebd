import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import csrf from './index.ts'

const NAME = 'apisix-csrf-token'
/** The clock of `mountPlugin` in seconds. */
const NOW = Date.UTC(2026, 0, 1) / 1000

type Mounted = ReturnType<typeof mountPlugin>

const mount = (config: Record<string, unknown> = {}) => mountPlugin(csrf, { key: 'k', ...config })
const encoded = (content: unknown) => Buffer.from(JSON.stringify(content)).toString('base64')
const signed = (random: unknown, expires: unknown, key = 'k') =>
  createHash('sha256').update(`{expires:${expires},random:${random},key:${key}}`).digest('hex')

async function tokenOf(mounted: Mounted): Promise<string> {
  const cookie = (await mounted.request()).headers.get('set-cookie') ?? ''
  return cookie.slice(NAME.length + 1, cookie.indexOf(';'))
}

async function send(mounted: Mounted, token: string, cookie = `${NAME}=${token}`) {
  return mounted.request({ method: 'POST', headers: { [NAME]: token, cookie } })
}

describe('csrf', () => {
  it('gives every answer a cookie with a signed token', async () => {
    const mounted = mount()
    const { headers } = await mounted.request({ upstream: { headers: { 'set-cookie': 'a=b' } } })
    const [first, cookie = ''] = headers.all('set-cookie')
    assert.equal(first, 'a=b')
    const [, token = '', rest] = /^apisix-csrf-token=([^;]+)(;.*)$/.exec(cookie) ?? []
    assert.equal(rest, ';path=/;SameSite=Lax;Expires=Thu, 01-Jan-26 02:00:00 GMT')
    const { random, expires, sign } = JSON.parse(Buffer.from(token, 'base64').toString())
    assert.equal(expires, NOW)
    assert.ok(random > 0 && random < 1)
    assert.equal(sign, signed(random, expires))
  })

  it('gives a refusal a cookie too', async () => {
    const answer = await mount().request({ method: 'POST' })
    assert.equal(answer.status, 401)
    assert.match(answer.headers.get('set-cookie') ?? '', /^apisix-csrf-token=/)
  })

  it('gives two answers two tokens', async () => {
    const mounted = mount()
    assert.notEqual(await tokenOf(mounted), await tokenOf(mounted))
  })

  for (const method of ['GET', 'HEAD', 'OPTIONS']) {
    it(`asks no token of ${method}`, async () => {
      assert.equal((await mount().request({ method })).status, 200)
    })
  }

  it('lets a request pass that repeats its cookie in the header', async () => {
    const mounted = mount()
    const token = await tokenOf(mounted)
    const answer = await send(mounted, token, `a=b; ${NAME}=${token}; c=d`)
    assert.equal(answer.status, 200)
    assert.ok(answer.sent)
  })

  const headersOf = (token: string): [what: string, headers: Record<string, string>, message: string][] => [
    ['no token', { cookie: `${NAME}=${token}` }, 'no csrf token in headers'],
    ['an empty token', { [NAME]: '', cookie: `${NAME}=${token}` }, 'no csrf token in headers'],
    ['no cookie', { [NAME]: token }, 'no csrf cookie'],
    ['another cookie only', { [NAME]: token, cookie: `x${NAME}=${token}` }, 'no csrf cookie'],
    ['a cookie that differs', { [NAME]: token, cookie: `${NAME}=${token}x` }, 'csrf token mismatch'],
  ]
  it('refuses a request that does not repeat its cookie', async () => {
    const mounted = mount()
    for (const [what, headers, message] of headersOf(await tokenOf(mounted))) {
      const answer = await mounted.request({ method: 'PATCH', headers })
      assert.equal(answer.status, 401, what)
      assert.equal(answer.body, `${JSON.stringify({ error_msg: message })}\n`, what)
      assert.equal(answer.sent, undefined)
    }
  })

  const MADE_UP: [what: string, token: string][] = [
    ['that is no base64', '!'],
    ['that is no JSON', Buffer.from('{').toString('base64')],
    ['that is no object', encoded(null)],
    ['without fields', encoded({})],
    ['signed with another key', encoded({ random: 0.5, expires: NOW, sign: signed(0.5, NOW, 'other') })],
    ['with another time than was signed', encoded({ random: 0.5, expires: NOW + 9, sign: signed(0.5, NOW) })],
    ['with a text for a number', encoded({ random: '0.5', expires: NOW, sign: signed(0.5, NOW) })],
    ['without a signature', encoded({ random: 0.5, expires: NOW })],
    ['with too short a signature', encoded({ random: 0.5, expires: NOW, sign: 'ab' })],
    ['that is too old', encoded({ random: 0.5, expires: NOW - 7201, sign: signed(0.5, NOW - 7201) })],
  ]
  for (const [what, token] of MADE_UP) {
    it(`refuses a token ${what}`, async () => {
      const answer = await send(mount(), token)
      assert.equal(answer.status, 401)
      assert.equal(answer.body, '{"error_msg":"Failed to verify the csrf token signature"}\n')
    })
  }

  it('accepts the tokens of an APISIX with the same key', async () => {
    const [random, expires] = ['0.84021739234', NOW]
    const text = `{"sign":"${signed(random, expires)}","random":${random},"expires":${expires}}`
    assert.equal((await send(mount(), Buffer.from(text).toString('base64'))).status, 200)
  })

  it('accepts a token until it expires', async () => {
    const mounted = mount({ expires: 10 })
    const token = await tokenOf(mounted)
    mounted.advance(10_000)
    assert.equal((await send(mounted, token)).status, 200)
    mounted.advance(1000)
    assert.equal((await send(mounted, token)).status, 401)
  })

  it('accepts a token for ever when it never expires', async () => {
    const mounted = mount({ expires: 0 })
    const token = await tokenOf(mounted)
    mounted.advance(1e9)
    assert.equal((await send(mounted, token)).status, 200)
  })

  it('bears lifetimes that no date can show', async () => {
    for (const [expires, shown] of [
      [1e15, 'Fri, 31-Dec-99 23:59:59 GMT'],
      [-1e15, 'Thu, 01-Jan-70 00:00:00 GMT'],
    ] as const) {
      const cookie = (await mount({ expires }).request()).headers.get('set-cookie') ?? ''
      assert.ok(cookie.endsWith(`;Expires=${shown}`), cookie)
    }
  })

  it('uses the name it is told for header and cookie', async () => {
    const mounted = mount({ name: 'X-Token' })
    const cookie = (await mounted.request()).headers.get('set-cookie') ?? ''
    const token = /^X-Token=([^;]+)/.exec(cookie)?.[1] ?? ''
    const headers = { 'x-token': token, cookie: `X-Token=${token}` }
    assert.equal((await mounted.request({ method: 'DELETE', headers })).status, 200)
  })

  it('checks its configuration', () => {
    assert.equal(refusal(csrf, {}), 'property "key" is required')
    assert.match(refusal(csrf, { key: '' }) ?? '', /string too short/)
    assert.match(refusal(csrf, { key: 'k', expires: 'x' }) ?? '', /wrong type/)
    assert.equal(refusal(csrf, { key: 'k', name: 'a b' }), 'name "a b" cannot name a header and a cookie')
  })

  it('names the key as a secret, so that it is never logged', () => {
    assert.deepEqual(csrf.secretFields, ['key'])
  })
})
