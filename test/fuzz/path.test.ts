import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type CanonicalTarget, canonicalizeTarget } from '../../src/lib/canonical-path.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { type Random, seeded } from './mutations.ts'
import { StrictClient } from './response-stage.ts'

/** More of both for a longer hunt: FUZZ_RUNS=20000 FUZZ_SEED=7 npm test -- fuzz. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 500)
const SEED = Number(process.env['FUZZ_SEED'] ?? 20261121)
/** The function alone is fast. */
const PURE_RUNS = RUNS * 40

const PIECES = [
  ...[
    '/',
    '/',
    '/',
    'admin',
    'admin',
    'public',
    'a',
    '.',
    '..',
    '%2e',
    '%2E%2e',
    '.%2e',
    '//',
    '\\',
    '%5c',
    '%2f',
    '%2F',
  ],
  ...[
    ';',
    ';x=1',
    '%3b',
    '%61',
    '%41dmin',
    'ADMIN',
    '%20',
    '%09',
    '%25',
    '%252e',
    '%252f',
    '%2e%2e%2f',
    '%c0%ae',
    '%e2%80%8b',
  ],
  ...[
    '%00',
    '%zz',
    '%',
    '#',
    '?',
    '?q=/../',
    '%3f',
    '%23',
    '~',
    '+',
    '*',
    ':',
    '@',
    '|',
    '%ff',
    '%ef%bc%8f',
    '...',
    '. ',
    '%0d%0a',
  ],
]

function makeTarget(random: Random): string {
  const count = 1 + Math.floor(random() * 8)
  const path = Array.from({ length: count }, () => PIECES[Math.floor(random() * PIECES.length)]!).join('')
  const start = random()
  if (start < 0.05) return `http://a/${path}`
  return start < 0.1 ? path : `/${path}`
}

const DETOURS = [
  '/',
  '//',
  '/./',
  '/a/../',
  '/a/%2e%2e/',
  '/%2e/',
  '/a/.%2E/',
  '/public/../',
  '/;/../',
  '/a;/../',
  '/a%2f..%2f',
]
const ADMINS = [
  'admin',
  '%61dmin',
  '%61%64%6d%69%6e',
  'admin/',
  'admin/x',
  'admin//x',
  'admin%2fx',
  'admin/./x',
  'admin/y/..',
  'admin?x',
]

/** Half of them ways to /admin, with something odd behind. */
function makeWay(random: Random): string {
  if (random() < 0.5) return makeTarget(random)
  const pick = (parts: readonly string[]) => parts[Math.floor(random() * parts.length)]!
  return pick(DETOURS) + pick(ADMINS) + (random() < 0.5 ? pick(PIECES) : '')
}

/** RFC 3986 §5.2.4 on segments of decoded bytes, with empty ones merged; a backslash is no separator, as in nginx; undefined above the root. Slow and plain: the judge. */
function slowly(rawPath: string): string | undefined {
  const bytes: number[] = []
  for (let i = 0; i < rawPath.length; i++) {
    if (rawPath[i] === '%') {
      bytes.push(Number.parseInt(rawPath.slice(i + 1, i + 3), 16))
      i += 2
    } else bytes.push(rawPath.charCodeAt(i))
  }
  const text = Buffer.from(bytes).toString('latin1')
  const kept: string[] = []
  for (const segment of text.split('/')) {
    if (segment === '..') {
      if (kept.pop() === undefined) return undefined
    } else if (segment !== '.' && segment !== '') kept.push(segment)
  }
  const isFolder = /(?:^|\/)\.{0,2}$/.test(text)
  return Buffer.from(`/${kept.join('/')}${isFolder && kept.length > 0 ? '/' : ''}`, 'latin1').toString('utf8')
}

function readable(target: string): CanonicalTarget | undefined {
  const read = canonicalizeTarget(target)
  return read.ok ? read : undefined
}

const pathOf = (target: string) => target.split('?')[0]!

describe('the canonical path under random spellings', () => {
  it(`is what a slow reader makes of it, once and for all (${PURE_RUNS} targets, seed ${SEED})`, () => {
    const random = seeded(SEED)
    let read = 0
    for (let run = 0; run < PURE_RUNS; run++) {
      const target = makeTarget(random)
      const first = readable(target)
      if (!first || first.form === 'asterisk') continue
      read++
      const shown = `run ${run}, seed ${SEED}: ${JSON.stringify(target)}`
      const rawPath = pathOf(target.replace(/^http:\/\/a/, ''))
      assert.equal(first.path, slowly(rawPath.startsWith('/') ? rawPath : `/${rawPath}`), shown)
      const second = readable(first.forwardTarget)
      assert.equal(second?.path, first.path, `what is forwarded is matched otherwise: ${shown}`)
      assert.equal(second?.forwardTarget, first.forwardTarget, `forwarded once more it changes: ${shown}`)
      assert.doesNotMatch(pathOf(first.forwardTarget), /\\|[^\x21-\x7e]|#/, shown)
      const hasDots = /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i
      assert.doesNotMatch(pathOf(first.forwardTarget), hasDots, `a dot segment is forwarded: ${shown}`)
      assert.doesNotMatch(first.path, /(?:^|\/)\.{1,2}(?:\/|$)|\/\//, shown)
    }
    assert.ok(read > PURE_RUNS / 4, `only ${read} targets of ${PURE_RUNS} could be read`)
  })

  it(`lets nobody to what a rule for /admin/* guards (${RUNS} requests, seed ${SEED})`, async (t) => {
    const node = await fakeUpstream(t)
    const upstream = { nodes: { [node.address]: 1 } }
    const gateway = await startGateway(t, {
      routes: {
        guarded: { uris: ['/admin', '/admin/*'], plugins: { 'key-auth': {} }, upstream },
        rest: { uri: '/*', upstream },
      },
    })
    const client = new StrictClient(t, gateway.proxyPort)
    const random = seeded(SEED)
    let refused = 0
    for (let run = 0; run < RUNS; run++) {
      const target = makeWay(random)
      if (/\s/.test(target)) continue
      const before = node.requests.length
      const answer = await client.ask('GET', target)
      if (answer !== 'aborted' && answer.status === 401) refused++
      for (const { url } of node.requests.slice(before)) {
        const shown = `run ${run}, seed ${SEED}: ${JSON.stringify(target)} reached the node as ${url}`
        const path = slowly(pathOf(url))
        assert.ok(path !== '/admin' && path?.startsWith('/admin/') === false, shown)
      }
    }
    assert.ok(refused > RUNS / 10, `only ${refused} of ${RUNS} requests met the rule`)
  })
})
