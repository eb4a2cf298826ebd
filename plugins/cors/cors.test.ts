import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import cors from './index.ts'

const A = 'http://a.com'
const B = 'http://b.com'
const LIST = `${A},${B}`
const NAMES = [
  'Allow-Origin',
  'Allow-Methods',
  'Allow-Headers',
  'Max-Age',
  'Expose-Headers',
  'Allow-Credentials',
]

type Config = Record<string, unknown>
type Mounted = ReturnType<typeof mountPlugin>

/** What an answer says about origins: the CORS headers it has by the end of their names, and `Vary`. */
async function told(mounted: Mounted, headers: Record<string, string> = {}, method = 'GET') {
  const answer = await mounted.request({ method, headers })
  const shown = NAMES.map((name) => [name, answer.headers.get(`access-control-${name.toLowerCase()}`)])
  const vary = answer.headers.all('vary').join()
  return Object.fromEntries(
    [...shown, ['Vary', vary || undefined]].filter(([, value]) => value !== undefined),
  )
}

const allowed = async (config: Config, origin?: string) =>
  (await told(mountPlugin(cors, config), origin === undefined ? {} : { origin }))['Allow-Origin']

describe('cors', () => {
  it('allows everything by default, also to a request without an origin', async () => {
    const expected = { 'Allow-Origin': '*', 'Allow-Methods': '*', 'Allow-Headers': '*', 'Max-Age': '5' }
    const mounted = mountPlugin(cors, {})
    assert.deepEqual(await told(mounted), expected)
    assert.deepEqual(await told(mounted, { origin: A }), expected)
  })

  it('says all it was told to an origin of the list', async () => {
    const config = { allow_origins: LIST, allow_methods: 'GET', allow_headers: 'X-A', expose_headers: 'X-B' }
    assert.deepEqual(await told(mountPlugin(cors, { ...config, allow_credential: true }), { origin: A }), {
      'Allow-Origin': A,
      'Allow-Methods': 'GET',
      'Allow-Headers': 'X-A',
      'Max-Age': '5',
      'Expose-Headers': 'X-B',
      'Allow-Credentials': 'true',
      Vary: 'Origin',
    })
  })

  it('says nothing but Vary to an origin that is not in the list, and to none', async () => {
    const mounted = mountPlugin(cors, { allow_origins: LIST })
    for (const headers of [{ origin: 'http://c.com' }, {}, { origin: LIST }, { origin: 'http://A.com' }]) {
      assert.deepEqual(await told(mounted, headers), { Vary: 'Origin' })
    }
  })

  const ORIGINS: [what: string, config: Config, origin: string | undefined, answer: string | undefined][] = [
    ['names a single origin to everyone', { allow_origins: A }, B, A],
    ['echoes any origin for **', { allow_origins: '**' }, B, B],
    ['says * for ** when there is no origin', { allow_origins: '**' }, undefined, '*'],
    ['names the origin null', { allow_origins: 'null' }, A, 'null'],
    [
      'asks patterns',
      { allow_origins_by_regex: ['^http://.*\\.a\\.com$'] },
      'http://x.a.com',
      'http://x.a.com',
    ],
    [
      'asks patterns in place of the list',
      { allow_origins: LIST, allow_origins_by_regex: ['^http://c'] },
      A,
      undefined,
    ],
    ['gives no pattern a request without origin', { allow_origins_by_regex: ['.*'] }, undefined, undefined],
  ]
  for (const [what, config, origin, answer] of ORIGINS) {
    it(what, async () => {
      assert.equal(await allowed(config, origin), answer)
    })
  }

  it('asks the metadata for an origin it does not have itself, as it is at the time', async () => {
    const config = { allow_origins: LIST, allow_origins_by_metadata: ['k1', 'k2', 'absent'] }
    const metadata = { allow_origins: { k1: 'http://c.com', k2: 'http://d.com,http://e.com' } }
    const mounted = mountPlugin(cors, config, { metadata })
    const answers = (origin: string) => told(mounted, { origin }).then((said) => said['Allow-Origin'])
    for (const origin of [A, 'http://c.com', 'http://e.com']) assert.equal(await answers(origin), origin)
    assert.equal(await answers('http://f.com'), undefined)
    mounted.setMetadata({ allow_origins: { k1: 'http://f.com' } })
    assert.equal(await answers('http://f.com'), 'http://f.com')
    assert.equal(await answers('http://c.com'), undefined)
  })

  it('answers every OPTIONS request itself, with 200 and no text', async () => {
    const mounted = mountPlugin(cors, { allow_origins: LIST })
    for (const headers of [{ origin: A }, { origin: 'http://c.com' }, {}]) {
      const answer = await mounted.request({ method: 'OPTIONS', headers })
      assert.equal(answer.status, 200)
      assert.equal(answer.body, '')
      assert.equal(answer.sent, undefined)
    }
    assert.equal((await told(mounted, { origin: A }, 'OPTIONS'))['Allow-Origin'], A)
  })

  it('lists all methods and echoes the headers asked for with **', async () => {
    const mounted = mountPlugin(cors, { allow_methods: '**', allow_headers: '**', expose_headers: '**' })
    const said = await told(mounted, { 'access-control-request-headers': 'X-One,X-Two' }, 'OPTIONS')
    assert.equal(said['Allow-Methods'], 'GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS,CONNECT,TRACE')
    assert.equal(said['Allow-Headers'], 'X-One,X-Two')
    assert.equal(said['Expose-Headers'], '**')
    assert.equal('Allow-Headers' in (await told(mounted)), false)
  })

  it('replaces what the upstream says, and adds to its Vary', async () => {
    const headers = { 'access-control-allow-origin': 'http://upstream', Vary: 'Accept' }
    const answer = await mountPlugin(cors, { allow_origins: A }).request({ upstream: { headers } })
    assert.deepEqual(answer.headers.all('access-control-allow-origin'), [A])
    assert.deepEqual(answer.headers.all('vary'), ['Accept', 'Origin'])
  })

  it('says it on the answers of the gateway too', async () => {
    const answer = await mountPlugin(cors, {}).request({ upstream: 'refused' })
    assert.equal(answer.status, 502)
    assert.equal(answer.headers.get('access-control-allow-origin'), '*')
  })

  it('names the origins that may read timings', async () => {
    const timing = async (config: Config, origin: string) => {
      const answer = await mountPlugin(cors, config).request({ headers: { origin } })
      return [answer.headers.get('timing-allow-origin'), answer.headers.get('vary')]
    }
    assert.deepEqual(await timing({}, A), [undefined, undefined])
    assert.deepEqual(await timing({ timing_allow_origins: '*' }, A), ['*', undefined])
    assert.deepEqual(await timing({ timing_allow_origins: LIST }, B), [B, 'Origin'])
    assert.deepEqual(await timing({ timing_allow_origins_by_regex: ['^http://a'] }, A), [A, 'Origin'])
    assert.deepEqual(await timing({ timing_allow_origins_by_regex: ['^http://a'] }, B), [undefined, 'Origin'])
  })

  it('tells caches that patterns look at the origin', async () => {
    const said = await told(mountPlugin(cors, { allow_origins_by_regex: ['a'] }), { origin: A })
    assert.equal(said['Vary'], 'Origin')
  })

  const REFUSED: [what: string, config: Config, text: string | RegExp][] = [
    ...['allow_origins', 'allow_methods', 'allow_headers', 'expose_headers'].map(
      (name): [string, Config, string] => [
        `* in ${name} beside credentials`,
        { allow_origins: A, allow_methods: 'GET', allow_headers: 'X-A', allow_credential: true, [name]: '*' },
        "you can not set '*' for other option when 'allow_credential' is true",
      ],
    ),
    [
      'an origin without a scheme',
      { allow_origins: 'a.com' },
      /"allow_origins" validation failed: failed to match/,
    ],
    ['a blank list', { allow_origins: '' }, /failed to match pattern/],
    ['no patterns', { allow_origins_by_regex: [] }, /at least 1 items/],
    [
      'a pattern twice',
      { allow_origins_by_regex: ['a', 'a'] },
      'property "allow_origins_by_regex" validation failed: expected unique items but items 1 and 2 are equal',
    ],
    ['a pattern that is none', { allow_origins_by_regex: ['('] }, /^allow_origins_by_regex\[0\] "\(": /],
    ['a line break', { allow_methods: 'GET\r\nX: y' }, /^invalid value character in header/],
    ['a max_age that is no whole number', { max_age: '5' }, /wrong type: expected integer, got string/],
  ]
  for (const [what, config, text] of REFUSED) {
    it(`refuses to be configured with ${what}`, () => {
      const said = refusal(cors, config) ?? ''
      if (typeof text === 'string') assert.equal(said, text)
      else assert.match(said, text)
    })
  }

  it('refuses metadata that names no origin', () => {
    assert.throws(
      () => mountPlugin(cors, {}, { metadata: { allow_origins: { k: 'a.com' } } }),
      /failed to match/,
    )
  })
})
