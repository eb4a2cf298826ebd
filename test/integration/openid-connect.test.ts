import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { Browser } from '../support/browser.ts'
import {
  CLIENT,
  type IdentityProvider,
  type IdentityProviderOptions,
  startIdentityProvider,
} from '../support/identity-provider.ts'
import { startRedis } from '../support/redis.ts'

type Config = Record<string, unknown>

const SESSION = { secret: 'a secret of many letters' }

interface Stage {
  readonly gateway: TestGateway
  readonly provider: IdentityProvider
  readonly node: Awaited<ReturnType<typeof fakeUpstream>>
  readonly browser: Browser
  readonly url: string
}

/** A gateway with a provider that knows it, and a route that asks for a login. */
async function startStage(
  t: TestContext,
  config: Config = {},
  about: IdentityProviderOptions = {},
): Promise<Stage> {
  const node = await fakeUpstream(t, (_request, response) => response.end('node'))
  const gateway = await startGateway(t)
  const url = gateway.proxyUrl
  const provider = await startIdentityProvider(t, [`${url}/callback`, `${url}/app/.apisix/redirect`], about)
  await putRoute(gateway, node.address, {
    discovery: provider.discovery,
    redirect_uri: '/callback',
    ...config,
  })
  return { gateway, provider, node, browser: new Browser(), url }
}

async function putRoute(gateway: TestGateway, node: string, config: Config): Promise<void> {
  const plugins = { 'openid-connect': { ...CLIENT, session: SESSION, ...config } }
  await gateway.put('routes', 'r', { uri: '/*', plugins, upstream: { nodes: { [node]: 1 } } })
}

/** The answer to a browser that comes back from the provider, on its way to `target`. */
async function comeBack(browser: Browser, url: string, target: string) {
  const page = await browser.go(target, (next) => next.startsWith(`${url}/callback`))
  return browser.fetch(locationOf(page).href)
}

const decoded = (header: unknown) => JSON.parse(Buffer.from(String(header), 'base64').toString()) as Config
const locationOf = ({ headers }: { headers: Headers }) => new URL(headers.get('location')!)

describe('a login', () => {
  it('leads by way of the provider to where the client was going, and tells the upstream who it is', async (t) => {
    const { browser, node, url, provider } = await startStage(t, { scope: 'openid profile' })
    const first = await browser.fetch(`${url}/a/b?x=%201`)
    assert.equal(first.status, 302)
    assert.equal(first.headers.get('cache-control'), 'no-store')
    const asked = locationOf(first)
    assert.equal(asked.origin, provider.issuer)
    assert.equal(asked.searchParams.get('redirect_uri'), `${url}/callback`)
    assert.equal(asked.searchParams.get('scope'), 'openid profile')
    assert.equal(asked.searchParams.get('response_type'), 'code')
    assert.ok(asked.searchParams.get('state')!.length >= 43)
    assert.equal(node.requests.length, 0)
    const page = await browser.go(asked.href)
    assert.deepEqual([page.status, page.url, page.body], [200, `${url}/a/b?x=%201`, 'node'])
    const { headers } = node.requests[0]!
    assert.equal(decoded(headers['x-id-token'])['sub'], 'jack')
    assert.deepEqual(decoded(headers['x-userinfo']), { sub: 'jack', name: 'Jack' })
    assert.ok(headers['x-access-token'])
    assert.equal(headers['x-refresh-token'], undefined)
    assert.equal(headers.cookie, undefined)
  })

  it('is done once: the session goes on without the provider', async (t) => {
    const { browser, node, url, provider } = await startStage(t)
    await browser.go(`${url}/a`)
    const calls = provider.asked.length
    assert.equal((await browser.fetch(`${url}/b`)).body, 'node')
    assert.equal((await browser.fetch(`${url}/c`, { method: 'POST', body: 'x' })).body, 'node')
    assert.equal(provider.asked.length, calls)
    assert.equal(node.requests.length, 3)
  })

  it('can be tied together by PKCE and a nonce', async (t) => {
    const { browser, url } = await startStage(t, { use_pkce: true, use_nonce: true })
    const asked = locationOf(await browser.fetch(`${url}/a`))
    assert.equal(asked.searchParams.get('code_challenge_method'), 'S256')
    assert.equal(asked.searchParams.get('code_challenge')?.length, 43)
    assert.equal(asked.searchParams.get('nonce')?.length, 43)
    assert.equal((await browser.go(asked.href)).body, 'node')
  })

  it('comes back below the path of the request when there is no redirect_uri', async (t) => {
    const { browser, url } = await startStage(t, { redirect_uri: undefined })
    const page = await browser.go(`${url}/app/?q`)
    assert.deepEqual([page.url, page.body], [`${url}/app/?q`, 'node'])
  })

  const PROOFS: [method: string, config: (pem: string) => Config][] = [
    ['client_secret_post', () => ({})],
    ['client_secret_jwt', () => ({})],
    ['private_key_jwt', (pem) => ({ client_rsa_private_key: pem, client_rsa_private_key_id: 'own' })],
  ]
  for (const [method, config] of PROOFS) {
    it(`shows the provider who the gateway is by ${method}`, async (t) => {
      const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'own', use: 'sig' }] }
      const known = { token_endpoint_auth_method: method, ...(method === 'private_key_jwt' && { jwks }) }
      const own = config(privateKey.export({ type: 'pkcs1', format: 'pem' }) as string)
      const { browser, url } = await startStage(
        t,
        { token_endpoint_auth_method: method, ...own },
        { client: known },
      )
      assert.equal((await browser.go(`${url}/a`)).body, 'node')
    })
  }

  it('adds authorization_params, and none of them replaces what ties the login', async (t) => {
    const { browser, url } = await startStage(t, {
      authorization_params: { prompt: 'login', state: 'fixed' },
    })
    const asked = locationOf(await browser.fetch(`${url}/a`))
    assert.equal(asked.searchParams.get('prompt'), 'login')
    assert.notEqual(asked.searchParams.get('state'), 'fixed')
  })

  it('may go on in several tabs at a time, of which the browser forgets the oldest', async (t) => {
    const { browser, url } = await startStage(t)
    const tabs = [await browser.fetch(`${url}/1`), await browser.fetch(`${url}/2`)]
    assert.equal((await browser.go(locationOf(tabs[0]!).href)).url, `${url}/1`)
    assert.equal((await browser.go(locationOf(tabs[1]!).href)).url, `${url}/2`)
    const other = new Browser()
    for (let i = 0; i < 20; i++) await other.fetch(`${url}/${i}`)
    assert.ok(other.cookies.get(url)!.size <= 7)
  })
})

describe('what a login is not fooled by', () => {
  it('a client that says who it is, in any spelling, without or with a session', async (t) => {
    const { browser, node, url } = await startStage(t, { unauth_action: 'pass', set_userinfo_header: false })
    const names = [
      'X-Access-Token',
      'x_access_token',
      'X-ID-Token',
      'X_Id_Token',
      'X-Userinfo',
      'X_USERINFO',
      'X-Refresh-Token',
      'X-Raw-ID-Token',
    ]
    const headers = names.map((name): [string, string] => [name, 'forged'])
    await browser.fetch(`${url}/a`, { headers })
    assert.doesNotMatch(JSON.stringify(node.requests), /forged/)
    assert.equal(node.requests.length, 1)
  })

  it('the code of a login that another browser has begun (login CSRF)', async (t) => {
    const { browser, node, url } = await startStage(t)
    const attacker = await browser.go(`${url}/a`, (next) => next.startsWith(`${url}/callback`))
    const victim = new Browser()
    await victim.fetch(`${url}/`)
    const page = await victim.fetch(locationOf(attacker).href)
    assert.equal(page.status, 400)
    assert.deepEqual(page.headers.getSetCookie(), [])
    assert.equal((await victim.fetch(`${url}/a`)).status, 302)
    assert.equal(node.requests.length, 0)
  })

  it('a code that is used again, or another one, or none', async (t) => {
    const { browser, url } = await startStage(t)
    const page = await browser.go(`${url}/a`, (next) => next.startsWith(`${url}/callback`))
    const back = locationOf(page)
    assert.equal((await browser.fetch(back.href)).status, 302)
    assert.equal((await browser.fetch(back.href)).status, 400)
    const state = locationOf(await new Browser().fetch(`${url}/a`)).searchParams.get('state')
    assert.equal((await browser.fetch(`${url}/callback?code=x&state=${state}`)).status, 400)
    assert.equal((await browser.fetch(`${url}/callback`)).status, 400)
    const other = new Browser()
    const begun = locationOf(await other.fetch(`${url}/a`)).searchParams
    const forged = await other.fetch(`${url}/callback?code=forged&state=${begun.get('state')}`)
    assert.equal(forged.status, 401)
    assert.equal((await other.fetch(`${url}/a`)).status, 302)
  })

  it('a refusal of the provider is told, and no session begins', async (t) => {
    const { browser, url, provider } = await startStage(t)
    const { searchParams } = locationOf(await browser.fetch(`${url}/a`))
    const query = new URLSearchParams({
      error: 'access_denied',
      state: searchParams.get('state')!,
      iss: provider.issuer,
    })
    const page = await browser.fetch(`${url}/callback?${query}`)
    assert.equal(page.status, 401)
    assert.deepEqual(JSON.parse(page.body), { message: 'the provider does not accept the login' })
  })

  for (const path of [
    '//evil.test/a',
    '/%5Cevil.test',
    '/%2F/evil.test',
    '/.//evil.test',
    '/x/..//evil.test',
  ]) {
    it(`a path such as ${path}, which is never another host after the login (open redirect)`, async (t) => {
      const { browser, url } = await startStage(t)
      const back = await comeBack(browser, url, `${url}${path}`)
      const location = back.headers.get('location')!
      assert.equal(new URL(location, url).origin, url)
      assert.match(location, /^\/[^/\\]/)
    })
  }

  it('a session that was changed, cut short, or made for another client or with another secret', async (t) => {
    const { browser, gateway, node, provider, url } = await startStage(t)
    await browser.go(`${url}/a`)
    const jar = browser.cookies.get(url)!
    const value = jar.get('session')!
    assert.match(value, /^1\./)
    const flipped = `${value.slice(0, 40)}${value[40] === 'A' ? 'B' : 'A'}${value.slice(41)}`
    for (const wrong of [flipped, value.slice(0, -4), value.replace('1.', '2.'), '1.', '1.x', '9.9']) {
      jar.set('session', wrong)
      assert.equal((await browser.fetch(`${url}/a`)).status, 302, wrong.slice(0, 20))
    }
    const common = { discovery: provider.discovery, redirect_uri: '/callback' }
    for (const other of [{ client_id: 'other' }, { session: { secret: 'another secret of letters' } }]) {
      await putRoute(gateway, node.address, { ...common, ...other })
      jar.set('session', value)
      assert.equal((await browser.fetch(`${url}/a`)).status, 302)
    }
    await putRoute(gateway, node.address, common)
    jar.set('session', value)
    assert.equal((await browser.fetch(`${url}/a`)).status, 200)
  })
})

describe('a session', () => {
  it('has cookies that scripts and other sites do not get, and that nobody can read', async (t) => {
    const { browser, url } = await startStage(t)
    const lines = (await comeBack(browser, url, `${url}/a`)).headers.getSetCookie()
    const session = lines.find((line) => line.startsWith('session='))!
    assert.match(session, /; Path=\/; HttpOnly; SameSite=Lax$/)
    assert.doesNotMatch(Buffer.from(session.slice(10), 'base64url').toString('latin1'), /jack/)
    assert.ok(lines.some((line) => /^session_login_\w+=; Max-Age=0/.test(line)))
  })

  it('has its own name, path, domain and rules when these are set', async (t) => {
    const session = {
      ...SESSION,
      cookie_name: 'gw',
      cookie_path: '/a',
      cookie_domain: 'a.test',
      cookie_same_site: 'None',
      cookie_secure: true,
      cookie_http_only: false,
    }
    const { browser, url } = await startStage(t, { session })
    const [line = ''] = (await browser.fetch(`${url}/a`)).headers.getSetCookie()
    assert.match(line, /^gw_login_\w+=1\..*; Max-Age=600; Path=\/a; Domain=a\.test; SameSite=None; Secure$/)
  })

  it('too long for one cookie is spread over several, and the upstream sees none of them', async (t) => {
    const name = 'J'.repeat(4000)
    const { browser, node, url } = await startStage(
      t,
      { scope: 'openid profile', set_raw_id_token_header: true },
      { name },
    )
    await browser.go(`${url}/a`)
    const jar = browser.cookies.get(url)!
    assert.deepEqual([...jar.keys()].sort(), ['session', 'session2'])
    jar.set('other', 'kept')
    await browser.fetch(`${url}/b`)
    const { headers } = node.requests.at(-1)!
    assert.equal(headers.cookie, 'other=kept')
    assert.equal(decoded(headers['x-userinfo'])['name'], name)
    assert.equal(String(headers['x-raw-id-token']).split('.').length, 3)
    jar.delete('session2')
    assert.equal((await browser.fetch(`${url}/b`)).status, 302)
  })

  it('leaves no secret, no token and no code in the log', async (t) => {
    const { browser, gateway, node, url } = await startStage(t)
    const back = await browser.go(`${url}/a`, (next) => next.startsWith(`${url}/callback`))
    const code = locationOf(back).searchParams.get('code')!
    await browser.go(locationOf(back).href)
    await browser.fetch(`${url}/callback?code=forged`)
    const other = new Browser()
    const begun = locationOf(await other.fetch(`${url}/a`)).searchParams
    await other.fetch(`${url}/callback?code=forged&state=${begun.get('state')}`)
    const log = JSON.stringify(gateway.logs)
    assert.match(log, /a login failed/)
    const token = String(node.requests[0]?.headers['x-access-token'])
    for (const secret of [CLIENT.client_secret, SESSION.secret, token, code, begun.get('state')!]) {
      assert.equal(log.includes(secret), false, secret)
    }
  })

  it('ends with the logout, here and at the provider', async (t) => {
    const { browser, node, provider, url } = await startStage(t, {
      revoke_tokens_on_logout: true,
      post_logout_redirect_uri: '/bye',
    })
    await browser.go(`${url}/a`)
    const page = await browser.fetch(`${url}/logout`)
    const to = locationOf(page)
    assert.equal(`${to.origin}${to.pathname}`, `${provider.issuer}/session/end`)
    assert.ok(to.searchParams.get('id_token_hint'))
    assert.equal(to.searchParams.get('post_logout_redirect_uri'), `${url}/bye`)
    assert.ok(provider.asked.includes('/token/revocation'))
    assert.equal(browser.cookies.get(url)!.has('session'), false)
    assert.equal((await browser.fetch(`${url}/a`)).status, 302)
    assert.equal(node.requests.length, 1)
  })

  it('gets new tokens when the old ones are over, once for requests that come together', async (t) => {
    const { browser, node, provider, url } = await startStage(t, {
      scope: 'openid offline_access',
      authorization_params: { prompt: 'consent' },
      access_token_expires_leeway: 3600,
      set_refresh_token_header: true,
    })
    await comeBack(browser, url, `${url}/a`)
    const before = provider.asked.length
    await Promise.all([browser.fetch(`${url}/b`), browser.fetch(`${url}/c`), browser.fetch(`${url}/d`)])
    assert.deepEqual(provider.asked.slice(before), ['/token'])
    assert.equal(new Set(node.requests.map(({ headers }) => headers['x-access-token'])).size, 1)
    assert.ok(node.requests.at(-1)?.headers['x-refresh-token'])
  })

  it('whose tokens are over and cannot be renewed is over', async (t) => {
    const { browser, url } = await startStage(t, { access_token_expires_leeway: 3600 })
    assert.equal((await comeBack(browser, url, `${url}/a`)).headers.get('location'), '/a')
    assert.equal((await browser.fetch(`${url}/a`)).status, 302)
  })
})

describe('a session in redis', () => {
  const stageWith = async (t: TestContext) => {
    const redis = await startRedis(t, { password: 'secret' })
    const { host, port } = redis
    const where = { host, port, password: 'secret', prefix: 'gw' }
    const stage = await startStage(t, { session: { ...SESSION, storage: 'redis', redis: where } })
    return { ...stage, redis }
  }

  it('leaves the browser a name only, and redis nothing that it could read or use', async (t) => {
    const { browser, node, redis, url } = await stageWith(t)
    assert.equal((await browser.go(`${url}/a`)).body, 'node')
    assert.ok(node.requests[0]?.headers['x-access-token'])
    const cookie = browser.cookies.get(url)!.get('session')!
    assert.ok(cookie.length < 150, `${cookie.length} characters`)
    const keys = (await redis.command('KEYS', '*')) as string[]
    assert.equal(keys.length, 1)
    assert.match(keys[0]!, /^gw:[\w-]{43}$/)
    const kept = String(await redis.command('GET', keys[0]!))
    assert.doesNotMatch(kept + Buffer.from(kept, 'base64url').toString('latin1'), /jack|eyJ/)
    const lifeSeconds = Number(await redis.command('TTL', keys[0]!))
    assert.ok(lifeSeconds > 0 && lifeSeconds <= 900, `${lifeSeconds} s`)
  })

  it('is over when it is gone there, and gone there after the logout', async (t) => {
    const { browser, redis, url } = await stageWith(t)
    await browser.go(`${url}/a`)
    const copy = new Browser()
    copy.cookies.set(url, new Map(browser.cookies.get(url)))
    await browser.fetch(`${url}/logout`)
    assert.deepEqual(await redis.command('KEYS', '*'), [])
    assert.equal((await copy.fetch(`${url}/a`)).status, 302)
  })

  it('cannot be used without redis', async (t) => {
    const { browser, redis, url } = await stageWith(t)
    await browser.go(`${url}/a`)
    await redis.kill9()
    assert.equal((await browser.fetch(`${url}/a`)).status, 503)
  })
})

describe('a request without a session', () => {
  it('is refused with unauth_action deny', async (t) => {
    const { browser, node, url } = await startStage(t, { unauth_action: 'deny' })
    assert.equal((await browser.fetch(`${url}/a`)).status, 401)
    assert.equal(node.requests.length, 0)
  })

  it('is answered 503 when the provider cannot be asked', async (t) => {
    const { browser, url, gateway, node } = await startStage(t)
    await putRoute(gateway, node.address, { discovery: 'http://127.0.0.1:1/x', redirect_uri: '/callback' })
    assert.equal((await browser.fetch(`${url}/a`)).status, 503)
    assert.equal((await browser.fetch(`${url}/logout`)).status, 503)
  })
})
