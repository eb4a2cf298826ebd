import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type MountOptions, mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import redirect from './index.ts'

type Config = Record<string, unknown>

const NONE = 'value should match only one schema, but matches none'
const BOTH = 'value should match only one schema, but matches both schemas 1 and 2'
const HTTPS = { http_to_https: true }

/** Where a request for `target` is sent to, `undefined` when it reaches the upstream. */
async function locationOf(config: Config, target: string, headers: Record<string, string> = {}) {
  const answer = await mountPlugin(redirect, config).request({ target, headers })
  assert.equal(answer.sent === undefined, answer.headers.has('location'))
  return answer.headers.get('location')
}

describe('redirect', () => {
  const URIS: [what: string, config: Config, target: string, location: string | undefined][] = [
    ['sends to a path', { uri: '/test/add' }, '/hello', '/test/add'],
    ['sends to a URL', { uri: 'https://a.com/x?y=1#/z' }, '/', 'https://a.com/x?y=1#/z'],
    ['fills variables in', { uri: '$uri/test/${arg_a}/end' }, '/hello?a=1', '/hello/test/1/end'],
    ['leaves out what has no value', { uri: '/a${arg_none}b$http_none' }, '/', '/ab'],
    ['takes a pair of dollars as it is', { uri: '/foo$$uri' }, '/bar', '/foo$/bar'],
    ['drops the query', { uri: '/to' }, '/from?a=1', '/to'],
    ['appends the query', { uri: '/to', append_query_string: true }, '/from?a=%20', '/to?a=%20'],
    ['appends it to another', { uri: '/to?x=y', append_query_string: true }, '/?a=1', '/to?x=y&a=1'],
    ['appends nothing when there is none', { uri: '/to', append_query_string: true }, '/', '/to'],
    ['uses captures', { regex_uri: ['^/test/(.*)', 'http://b.com/${1}'] }, '/test/a/b', 'http://b.com/a/b'],
    ['uses several captures', { regex_uri: ['^/(\\w+)/(\\w+)', '/$2/$1'] }, '/a/b/c', '/b/a/c'],
    ['leaves a path alone that does not match', { regex_uri: ['^/test', '/x'] }, '/other', undefined],
    ['keeps what stands around the match', { regex_uri: ['b', 'x'] }, '/a/b/c', '/a/x/c'],
    [
      'appends the query to captures',
      { regex_uri: ['^/a', '/b'], append_query_string: true },
      '/a?q=1',
      '/b?q=1',
    ],
    ['escapes what no URI may hold', { uri: '/to/$arg_a' }, '/?a=%20%22%E4%B8%AD', '/to/%20%22%E4%B8%AD'],
    ['leaves a percent sign alone', { uri: '/to$uri' }, '/a%2525b', '/to/a%25b'],
    [
      'encodes the path when told to',
      { uri: '/to$uri?x=[1]', encode_uri: true },
      '/a%25%5B',
      '/to/a%25%5B?x=[1]',
    ],
  ]
  for (const [what, config, target, location] of URIS) {
    it(what, async () => {
      assert.equal(await locationOf(config, target), location)
    })
  }

  it('answers 302, or the status it is told', async () => {
    assert.equal((await mountPlugin(redirect, { uri: '/to' }).request()).status, 302)
    assert.equal((await mountPlugin(redirect, { uri: '/to', ret_code: 307 }).request()).status, 307)
  })

  it('lets no line break into the header', async () => {
    const location = await locationOf({ uri: '/to?$arg_a' }, '/?a=%0d%0aSet-Cookie:%20x=y')
    assert.equal(location, '/to?%0D%0ASet-Cookie:%20x=y')
    const path = await locationOf({ regex_uri: ['(?s)^/a(.*)', '/b$1'] }, '/a%0d%0ax')
    assert.equal(path, '/b%0D%0Ax')
  })

  it('lets no client name the host by slashes', async () => {
    assert.equal(await locationOf({ regex_uri: ['^/old(.*)', '/$1'] }, '/old/evil.com'), '/evil.com')
    assert.equal(await locationOf({ uri: '/$arg_to' }, '/?to=//evil.com'), '/evil.com')
    assert.equal(await locationOf({ uri: '/$arg_to' }, '/?to=%5Cevil.com'), '/%5Cevil.com')
    assert.equal(await locationOf({ uri: '//cdn.com$uri' }, '/a'), '//cdn.com/a')
  })
})

describe('redirect from http to https', () => {
  const secured = async (
    request: Parameters<ReturnType<typeof mountPlugin>['request']>[0],
    options?: MountOptions,
  ) => {
    const answer = await mountPlugin(redirect, HTTPS, options).request(request)
    return [answer.status, answer.headers.get('location')]
  }

  it('answers 301 to GET and HEAD, 308 to all others', async () => {
    const location = 'https://gateway.test/a'
    for (const method of ['GET', 'HEAD']) {
      assert.deepEqual(await secured({ method, target: '/a' }), [301, location])
    }
    for (const method of ['POST', 'PUT', 'OPTIONS']) {
      assert.deepEqual(await secured({ method, target: '/a' }), [308, location])
    }
  })

  it('keeps path and query as they were sent', async () => {
    const [, location] = await secured({ target: '/a%2Fb%20c?d=%0a&e=[f]' })
    assert.equal(location, 'https://gateway.test/a%2Fb%20c?d=%0a&e=[f]')
  })

  it('takes the path out of an absolute target', async () => {
    const [, location] = await secured({ target: 'http://gateway.test/a?b=c' })
    assert.equal(location, 'https://gateway.test/a?b=c')
  })

  it('sends OPTIONS * to the root', async () => {
    assert.deepEqual(await secured({ method: 'OPTIONS', target: '*' }), [308, 'https://gateway.test/'])
  })

  it('lets requests with TLS go on', async () => {
    assert.deepEqual(await secured({ scheme: 'https' }), [200, undefined])
  })

  it('believes X-Forwarded-Proto, of which the front door keeps only what trusted proxies say', async () => {
    assert.deepEqual(await secured({ headers: { 'x-forwarded-proto': 'https' } }), [200, undefined])
    const behindTls = { scheme: 'https', headers: { 'x-forwarded-proto': 'http' } } as const
    assert.deepEqual(await secured(behindTls), [301, 'https://gateway.test/'])
  })

  const PORTS: [what: string, options: MountOptions, host: string][] = [
    ['the port of the TLS listener', { httpsPort: 9443 }, 'gateway.test:9443'],
    ['no port when that is 443', { httpsPort: 443 }, 'gateway.test'],
    ['no port without a TLS listener', {}, 'gateway.test'],
    ['the port of the settings first', { httpsPort: 9443, attr: { https_port: 8443 } }, 'gateway.test:8443'],
    ['no port when the settings say 443', { httpsPort: 9443, attr: { https_port: 443 } }, 'gateway.test'],
  ]
  for (const [what, options, host] of PORTS) {
    it(`names ${what}`, async () => {
      assert.deepEqual(await secured({}, options), [301, `https://${host}/`])
    })
  }

  it('does nothing when it is false', async () => {
    const answer = await mountPlugin(redirect, { http_to_https: false }).request()
    assert.ok(answer.sent)
  })
})

describe('the configuration of redirect', () => {
  const REFUSED: [what: string, config: Config, text: string | RegExp][] = [
    ['nothing', {}, NONE],
    ['two ways at once', { uri: '/to', regex_uri: ['a', 'b'] }, BOTH],
    ['an empty uri', { uri: '/' }, /string too short, expected at least 2, got 1/],
    ['a pattern alone', { regex_uri: ['a'] }, /expect array to have at least 2 items/],
    ['two patterns', { regex_uri: ['a', 'b', 'c', 'd'] }, /expect array to have at most 2 items/],
    ['a pattern that is none', { regex_uri: ['(', 'b'] }, /^invalid regex_uri\(\(, b\): /],
    ['a replacement that is none', { regex_uri: ['a', '$x'] }, /^invalid regex_uri\(a, \$x\): /],
    ['a status below 200', { uri: '/to', ret_code: 199 }, /expected 199 to be at least 200/],
    [
      'the query appended to https',
      { ...HTTPS, append_query_string: true },
      'only one of `http_to_https` and `append_query_string` can be configured.',
    ],
  ]
  for (const [what, config, text] of REFUSED) {
    it(`is refused with ${what}`, () => {
      const said = refusal(redirect, config) ?? ''
      if (typeof text === 'string') assert.equal(said, text)
      else assert.match(said, text)
    })
  }
})
