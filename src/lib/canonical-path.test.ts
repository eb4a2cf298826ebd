import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type CanonicalTarget, canonicalizeTarget, type TargetOptions } from './canonical-path.ts'

function accepted(target: string, options?: TargetOptions): CanonicalTarget {
  const result = canonicalizeTarget(target, options)
  if (!result.ok) throw new Error(`${target}: ${result.reason}`)
  return result
}

/** What the upstream gets when it is not what was sent. */
const corpus: [sent: string, path: string, forwarded?: string][] = [
  ['/', '/'],
  ['/a/b', '/a/b'],
  ['/a/b/', '/a/b/'],
  ['/.well-known/x', '/.well-known/x'],
  ['/a.b/..c/...', '/a.b/..c/...'],
  ['//a///b//', '/a/b/'],
  ['//evil.com/x', '/evil.com/x'],
  ['/a%2Fb', '/a/b'],
  ['/a%2f%2Fb', '/a/b'],
  ['/%61dmin', '/admin'],
  ['/a%20b', '/a b'],
  ['/a%3Fb', '/a?b'],
  ['/a%23b', '/a#b'],
  ['/a%25b', '/a%b'],
  ['/a%252fb', '/a%2fb'],
  ['/caf%C3%A9', '/café'],
  ['/caf\u00c3\u00a9', '/café'],
  ['/caf%c3\u00a9', '/café'],
  ['/%ff', '/\ufffd'],
  ['/caf%C3%A9/%ff', '/café/\ufffd'],
  ['/%f0%9f%98%80', '/😀'],
  ['/a%5Cb', '/a\\b'],
  ['/a;x=1/b', '/a;x=1/b'],
  ['/..;/a', '/..;/a'],
  ['/a+b', '/a+b'],
  ['/a%0d%0ab', '/a\r\nb'],
  ['/%2e%2e%2e', '/...'],
  ['/./a', '/a', '/a'],
  ['/a/.', '/a/', '/a/'],
  ['/a/..', '/', '/'],
  ['/a/b/../c', '/a/c', '/a/c'],
  ['/a/./b/', '/a/b/', '/a/b/'],
  ['/a/%2e%2e/admin', '/admin', '/admin'],
  ['/a/.%2E/admin', '/admin', '/admin'],
  ['/a%2f..%2fadmin', '/admin', '/admin'],
  ['/a//../b', '/b', '/b'],
  ['/a/%2e/b', '/a/b', '/a/b'],
  ['/a/../b%2Fc//d', '/b/c/d', '/b/c/d'],
  ['/a/../b%20%3f%23%25c', '/b ?#%c', '/b%20%3F%23%25c'],
  ['/a/../%ff%C3%A9', '/\ufffdé', '/%FF%C3%A9'],
  ['/a/../b%0d%0ac', '/b\r\nc', '/b%0D%0Ac'],
  ['/a\\b', '/a\\b', '/a%5Cb'],
  ['/a/..\\admin', '/a/..\\admin', '/a/..%5Cadmin'],
  ['/\\evil', '/\\evil', '/%5Cevil'],
]

const refusals: [sent: string, reason: string][] = [
  ['', 'empty-target'],
  ['a/b', 'not-a-path'],
  ['?a', 'not-a-path'],
  ['%2Fa', 'not-a-path'],
  ['host:443', 'not-a-path'],
  ['ftp://host/', 'not-a-path'],
  ['http:evil', 'not-a-path'],
  ['http:///a', 'not-a-path'],
  ['**', 'not-a-path'],
  ['/..', 'above-root'],
  ['/../a', 'above-root'],
  ['/a/../../b', 'above-root'],
  ['/%2e%2e/a', 'above-root'],
  ['/%2e%2e%2fa', 'above-root'],
  ['//../a', 'above-root'],
  ['/./../a', 'above-root'],
  ['/a%00b', 'nul-byte'],
  ['/a%zz', 'bad-percent-encoding'],
  ['/a%', 'bad-percent-encoding'],
  ['/a%2', 'bad-percent-encoding'],
  ['/a%2?b', 'bad-percent-encoding'],
  ['/a b', 'bad-character'],
  ['/a\tb', 'bad-character'],
  ['/a\u007f', 'bad-character'],
  ['/a#b', 'bad-character'],
  ['/a?b#c', 'bad-character'],
  ['/a?b c', 'bad-character'],
  ['/a?b\r\nX: y', 'bad-character'],
]

describe('canonical path', () => {
  for (const [sent, path, forwarded = sent] of corpus) {
    it(`${JSON.stringify(sent)} is matched as ${JSON.stringify(path)} and forwarded as ${forwarded}`, () => {
      const target = accepted(sent)
      assert.equal(target.path, path)
      assert.equal(target.matchPath, path)
      assert.equal(target.forwardTarget, forwarded)
      assert.equal(target.form, 'origin')
    })
    it(`${JSON.stringify(sent)} keeps its query as sent`, () => {
      const target = accepted(`${sent}?a=%41&b=/../%zz\\?`)
      assert.equal(target.path, path)
      assert.equal(target.query, 'a=%41&b=/../%zz\\?')
      assert.equal(target.forwardTarget, `${forwarded}?a=%41&b=/../%zz\\?`)
    })
  }

  for (const [sent, reason] of refusals) {
    it(`${JSON.stringify(sent)} is refused: ${reason}`, () => {
      assert.deepEqual(canonicalizeTarget(sent), { ok: false, reason })
    })
  }

  it('an empty query is not none', () => {
    const { query, hasQuery, forwardTarget } = accepted('/a?')
    assert.deepEqual([query, hasQuery, forwardTarget], ['', true, '/a?'])
    assert.equal(accepted('/a').hasQuery, false)
  })

  const absolutes: [sent: string, authority: string, path: string, forwarded: string][] = [
    ['http://a.com/x%2Fy?q', 'a.com', '/x/y', '/x%2Fy?q'],
    ['HTTPS://A.com:8443', 'A.com:8443', '/', '/'],
    ['http://a.com?q=1', 'a.com', '/', '/?q=1'],
    ['http://a.com/b/../c', 'a.com', '/c', '/c'],
    ['http://user@a.com/', 'user@a.com', '/', '/'],
  ]
  for (const [sent, authority, path, forwarded] of absolutes) {
    it(`${sent} loses its scheme and host, which are handed over`, () => {
      const target = accepted(sent)
      assert.equal(target.form, 'absolute')
      assert.deepEqual([target.authority, target.path, target.forwardTarget], [authority, path, forwarded])
    })
  }

  it('the asterisk form is flagged', () => assert.equal(accepted('*').form, 'asterisk'))

  it('passes dot segments raw when it is set to', () => {
    const target = accepted('/a/../b\\c?q', { forwardRaw: true })
    assert.deepEqual([target.path, target.forwardTarget], ['/b\\c', '/a/../b\\c?q'])
  })
})

describe('canonical path settings', () => {
  const tails: [sent: string, path: string][] = [
    ['/a/', '/a'],
    ['/a//', '/a'],
    ['/a', '/a'],
    ['/', '/'],
  ]
  for (const [sent, path] of tails) {
    it(`delete_uri_tail_slash matches ${sent} as ${path} and forwards it as sent`, () => {
      const target = accepted(`${sent}?q`, { deleteTailSlash: true })
      assert.deepEqual([target.path, target.matchPath, target.forwardTarget], [path, path, `${sent}?q`])
    })
  }

  const servlet: [sent: string, path: string | undefined, forwarded?: string][] = [
    ['/a;x=1/b;y?q=1', '/a/b', '/a;x=1/b;y'],
    ['/a/%2e/b', '/a/b', '/a/b'],
    ['/a/b/;x', '/a/b/', '/a/b/;x'],
    ['/a/%20x', '/a/ x', '/a/%20x'],
    ['/a%3bx//%ff', '/a/\ufffd', '/a;x/%FF'],
    ['/..;/a', undefined],
    ['/a/.;x/b', undefined],
    ['/;x/a', undefined],
    ['/a/;x/b', undefined],
  ]
  for (const [sent, path, forwarded] of servlet) {
    it(`normalize_uri_like_servlet ${path === undefined ? 'refuses' : 'reads'} ${sent}`, () => {
      const target = canonicalizeTarget(sent, { servletNormalize: true })
      const expected = path === undefined ? { ok: false, reason: 'bad-path-parameter' } : { path, forwarded }
      assert.deepEqual(target.ok ? { path: target.path, forwarded: target.forwardTarget } : target, expected)
    })
  }

  const slashes: [sent: string, matchPath: string][] = [
    ['/u/a%2fb/x', '/u/a%2Fb/x'],
    ['/u/a%2Fb%20c', '/u/a%2Fb c'],
    ['/u/a%2f..%2fb', '/u/b'],
    ['/u/a%2fb//c', '/u/a/b/c'],
    ['/u/a%2f%2fb', '/u/a/b'],
    ['http://a.com/u/a%2fb', '/u/a%2Fb'],
    ['/u/a', '/u/a'],
  ]
  for (const [sent, matchPath] of slashes) {
    it(`match_uri_encoded_slash matches ${sent} as ${matchPath}`, () => {
      assert.equal(accepted(sent, { encodedSlash: true }).matchPath, matchPath)
    })
  }

  it('match_uri_encoded_slash gives way to the others, and plugins see the decoded path', () => {
    assert.equal(accepted('/a%2fb/', { encodedSlash: true, deleteTailSlash: true }).matchPath, '/a/b')
    const target = accepted('/a%2fb', { encodedSlash: true })
    assert.deepEqual([target.path, target.forwardTarget], ['/a/b', '/a%2fb'])
  })
})

describe('canonical path, whatever is sent', () => {
  const piece = fc.constantFrom(
    '/',
    '//',
    '.',
    '..',
    '%2e',
    '%2F',
    '%5c',
    '\\',
    'a',
    'b',
    '%ff',
    '%C3%A9',
    ';',
    '%25',
    '%00',
  )
  const target = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`)

  it('has no dot segment and no double slash left', () => {
    fc.assert(
      fc.property(target, (sent) => {
        const result = canonicalizeTarget(sent)
        if (!result.ok) return
        assert.doesNotMatch(result.path, /\/\/|\/\.{1,2}(?:\/|$)/)
        assert.ok(result.path.startsWith('/'))
      }),
      { numRuns: 2000 },
    )
  })

  it('what is forwarded reads as the same path again, and is forwarded unchanged from there', () => {
    fc.assert(
      fc.property(target, (sent) => {
        const result = canonicalizeTarget(sent)
        if (!result.ok) return
        const again = accepted(result.forwardTarget)
        assert.equal(again.path, result.path)
        assert.equal(again.forwardTarget, result.forwardTarget)
      }),
      { numRuns: 2000 },
    )
  })

  it('never throws', () => {
    const flags = fc.record({
      deleteTailSlash: fc.boolean(),
      servletNormalize: fc.boolean(),
      encodedSlash: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), target), flags, (sent, options) => {
        canonicalizeTarget(sent, options)
        canonicalizeTarget(`/${sent}`, options)
      }),
    )
  })
})
