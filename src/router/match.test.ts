import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileExpression } from '../expr/compile.ts'
import { createRouter } from './match.ts'
import { type MatchRequest, ROUTER_TYPES, type RouteEntry, type Router, type RouterType } from './router.ts'

type Draft = Partial<RouteEntry<string>> & { id: string; uris: string[] }

let order = 0
function entry(draft: Draft): RouteEntry<string> {
  return { hosts: [], methods: [], remoteAddrs: [], priority: 0, order: order++, target: draft.id, ...draft }
}

function router(type: RouterType, ...drafts: Draft[]): Router<string> {
  const made = createRouter<string>(type)
  for (const draft of drafts) made.put(entry(draft))
  return made
}

function request(
  path: string,
  more: Partial<MatchRequest> & { vars?: Record<string, unknown> } = {},
): MatchRequest {
  const { vars = {}, ...rest } = more
  const host = rest.host ?? 'a.com'
  const defaults = {
    path,
    host,
    rawHost: host,
    method: 'GET',
    remoteAddr: '127.0.0.1',
    pathParams: undefined,
  }
  return { ...defaults, var: (name) => vars[name], ...rest }
}

const EVERY: readonly RouterType[] = ROUTER_TYPES
const PARAMETERS: RouterType = 'radixtree_uri_with_parameter'

describe('route patterns', () => {
  const patterns: [pattern: string, path: string, expected: boolean][] = [
    ['/a/b', '/a/b', true],
    ['/a/b', '/a/b/', false],
    ['/a/b', '/a/B', false],
    ['/', '/', true],
    ['/*', '/', true],
    ['/*', '/any/thing', true],
    ['*', '/any/thing', true],
    ['/a/*', '/a/', true],
    ['/a/*', '/a/b/c', true],
    ['/a/*', '/a', false],
    ['/a*', '/a', true],
    ['/a*', '/abc/d', true],
    ['/a*', '/b', false],
    ['/m/*/z', '/m/q/z', true],
    ['/m/*/z', '/m/q/w/z', true],
    ['/m/*/z', '/m/z', false],
    ['/m/*/z', '/m/q/zz', false],
    ['/m/*/z', '/m/q\n/z', true],
    ['/m/*name/c', '/m/x/c', true],
    ['/m/*/x/*', '/m/1/x/2', true],
    ['/m/*/x/*', '/m/1/y/2', false],
    ['/a*b', '/a-b', true],
    ['/a*b', '/a-c', false],
    ['/f.o/*/z', '/fxo/q/z', false],
    ['/f.o/*/z', '/f.o/q/z', true],
    ['/caf\u00e9/*', '/caf\u00e9/x', true],
  ]
  for (const type of EVERY) {
    for (const [pattern, path, expected] of patterns) {
      it(`${type}: ${pattern} ${expected ? 'takes' : 'leaves'} ${JSON.stringify(path)}`, () => {
        assert.equal(
          router(type, { id: 'r', uris: [pattern] }).match(request(path)),
          expected ? 'r' : undefined,
        )
      })
    }
  }

  const parameters: [pattern: string, path: string, params: Record<string, string> | undefined][] = [
    ['/u/:id', '/u/5', { id: '5' }],
    ['/u/:id', '/u/', undefined],
    ['/u/:id', '/u/5/', undefined],
    ['/u/:id/x', '/u/5/x', { id: '5' }],
    ['/u/:id/x', '/u/5/6/x', undefined],
    ['/u/:id/p/:type/list', '/u/5/p/a b/list', { id: '5', type: 'a b' }],
    ['/u/:id/*', '/u/5/a/b', { id: '5', ext: 'a/b' }],
    ['/u/*/p/:id', '/u/a/b/p/7', { ext: 'a/b', id: '7' }],
    ['/u/*/p/:id/*rest', '/u/a/p/1/p/2/c', { ext: 'a/p/1', id: '2', rest: 'c' }],
    ['/u/:id/:id', '/u/1/2', { id: '2' }],
    ['/u/*/:ext', '/u/1/2', { ext: '2' }],
    ['/u/:constructor', '/u/1', { constructor: '1' }],
    ['/u/:__proto__', '/u/1', { ['__proto__']: '1' }],
    ['/a:b', '/a:b', {}],
    ['/a:b', '/axb', undefined],
  ]
  for (const [pattern, path, params] of parameters) {
    it(`with parameters ${pattern} ${params === undefined ? 'leaves' : 'takes'} ${path}`, () => {
      const seen = request(path)
      assert.equal(
        router(PARAMETERS, { id: 'r', uris: [pattern] }).match(seen),
        params === undefined ? undefined : 'r',
      )
      assert.deepEqual(Object.entries(seen.pathParams ?? {}).sort(), Object.entries(params ?? {}).sort())
    })
  }

  it('a colon is literal in the other routers', () => {
    for (const type of ['radixtree_host_uri', 'radixtree_uri'] as const) {
      const table = router(type, { id: 'r', uris: ['/u/:id'] })
      assert.equal(table.match(request('/u/5')), undefined)
      assert.equal(table.match(request('/u/:id')), 'r')
    }
  })

  it('captures what a trailing wildcard took, and nothing stays of an earlier match', () => {
    const table = router(
      'radixtree_host_uri',
      { id: 'ext', uris: ['/a/*'] },
      { id: 'plain', uris: ['/a*', '/x'] },
    )
    const seen = request('/a/b/c')
    assert.equal(table.match(seen), 'ext')
    assert.deepEqual({ ...seen.pathParams }, { ext: 'b/c' })
    assert.equal(seen.pathParams?.['constructor'], undefined)
    assert.equal(table.match(Object.assign(seen, { path: '/x' })), 'plain')
    assert.equal(seen.pathParams, undefined)
  })

  it('a long path cannot drive a pattern with many wildcards into backtracking', () => {
    const table = router('radixtree_uri', { id: 'r', uris: [`/${'*a/'.repeat(1)}${'/*/a'.repeat(30)}/b`] })
    const start = performance.now()
    assert.equal(table.match(request(`/${'/a'.repeat(4000)}`)), undefined)
    assert.ok(performance.now() - start < 1000)
  })
})

describe('which route wins', () => {
  for (const type of EVERY) {
    it(`${type}: an exact path beats a prefix, a longer prefix a shorter one, whatever the priority`, () => {
      const table = router(
        type,
        { id: 'all', uris: ['/*'], priority: 100 },
        { id: 'short', uris: ['/a/*'], priority: 50 },
        { id: 'long', uris: ['/a/b/*'] },
        { id: 'exact', uris: ['/a/b/c'], priority: -5 },
      )
      assert.equal(table.match(request('/a/b/c')), 'exact')
      assert.equal(table.match(request('/a/b/d')), 'long')
      assert.equal(table.match(request('/a/x')), 'short')
      assert.equal(table.match(request('/x')), 'all')
    })

    it(`${type}: within one key priority, then pattern length, then age decide`, () => {
      const table = router(
        type,
        { id: 'young', uris: ['/a/*'], order: 20 },
        { id: 'old', uris: ['/a/*'], order: 10 },
        { id: 'first', uris: ['/a/*'], priority: 1, methods: ['PUT'] },
        { id: 'longer', uris: ['/a/*/z'], order: 30 },
      )
      assert.equal(table.match(request('/a/b', { method: 'PUT' })), 'first')
      assert.equal(table.match(request('/a/b/z')), 'longer')
      assert.equal(table.match(request('/a/b')), 'old')
    })

    it(`${type}: a route that fails a condition leaves the request to the next, down to the shortest prefix`, () => {
      const table = router(
        type,
        { id: 'exact', uris: ['/a/b'], methods: ['POST'] },
        { id: 'same', uris: ['/a/b'], remoteAddrs: ['10.0.0.0/8'], order: 99 },
        { id: 'prefix', uris: ['/a/*'], vars: compileExpression([['arg_x', '==', '1']]) },
        { id: 'all', uris: ['/*'], filter: (source) => source.var('arg_y') === '1' },
      )
      assert.equal(table.match(request('/a/b', { method: 'POST' })), 'exact')
      assert.equal(table.match(request('/a/b', { remoteAddr: '10.1.1.1' })), 'same')
      assert.equal(table.match(request('/a/b', { vars: { arg_x: '1' } })), 'prefix')
      assert.equal(table.match(request('/a/b', { vars: { arg_y: '1' } })), 'all')
      assert.equal(table.match(request('/a/b')), undefined)
    })
  }

  it('the host beats path and priority in radixtree_host_uri only', () => {
    const drafts: Draft[] = [
      { id: 'host', uris: ['/*'], hosts: ['a.com'] },
      { id: 'path', uris: ['/a/b'], priority: 10 },
    ]
    assert.equal(router('radixtree_host_uri', ...drafts).match(request('/a/b')), 'host')
    assert.equal(router('radixtree_uri', ...drafts).match(request('/a/b')), 'path')
    assert.equal(router(PARAMETERS, ...drafts).match(request('/a/b')), 'path')
  })
})

describe('route hosts', () => {
  const hosts: [pattern: string, host: string, expected: boolean][] = [
    ['a.com', 'a.com', true],
    ['A.com', 'a.com', true],
    ['a.com', 'b.a.com', false],
    ['a.com', 'evila.com', false],
    ['*.a.com', 'x.a.com', true],
    ['*.A.com', 'y.x.a.com', true],
    ['*.a.com', 'a.com', false],
    ['*.a.com', 'evila.com', false],
    ['*a.com', 'a.com', true],
    ['*a.com', 'evila.com', true],
    ['*', 'any.thing', true],
    ['*', '', true],
    ['a.com', '', false],
  ]
  for (const type of EVERY) {
    for (const [pattern, host, expected] of hosts) {
      it(`${type}: ${pattern} ${expected ? 'takes' : 'leaves'} '${host}'`, () => {
        const table = router(type, { id: 'r', uris: ['/'], hosts: [pattern] })
        assert.equal(table.match(request('/', { host })), expected ? 'r' : undefined)
      })
    }
  }

  it('falls from the exact host to shorter wildcards, at last to routes without a host', () => {
    const table = router(
      'radixtree_host_uri',
      { id: 'none', uris: ['/*'], priority: 9 },
      { id: 'any', uris: ['/any/*'], hosts: ['*'] },
      { id: 'short', uris: ['/short/*', '/x'], hosts: ['*.com'] },
      { id: 'long', uris: ['/long/*', '/x'], hosts: ['*.a.com'] },
      { id: 'exact', uris: ['/exact/*'], hosts: ['x.a.com'] },
    )
    const at = (path: string): string | undefined => table.match(request(path, { host: 'x.a.com' }))
    assert.deepEqual(['/exact/1', '/long/1', '/x', '/short/1', '/any/1', '/other'].map(at), [
      'exact',
      'long',
      'long',
      'short',
      'any',
      'none',
    ])
  })

  it('a host with a port is compared with the header as sent, except by radixtree_host_uri', () => {
    const sent = { host: 'a.com', rawHost: 'A.com:8080' }
    for (const type of EVERY) {
      const table = router(type, { id: 'r', uris: ['/'], hosts: ['a.com:8080'] })
      assert.equal(table.match(request('/', sent)), type === 'radixtree_host_uri' ? undefined : 'r')
      assert.equal(table.match(request('/', { host: 'a.com', rawHost: 'a.com:81' })), undefined)
    }
  })
})

describe('route conditions', () => {
  it('GET does not imply HEAD, and unknown verbs match unrestricted routes only', () => {
    const table = router(
      'radixtree_uri',
      { id: 'get', uris: ['/a'], methods: ['GET'] },
      { id: 'any', uris: ['/b'] },
    )
    assert.equal(table.match(request('/a', { method: 'HEAD' })), undefined)
    assert.equal(table.match(request('/a', { method: 'BREW' })), undefined)
    assert.equal(table.match(request('/a', { method: 'get' })), undefined)
    assert.equal(table.match(request('/b', { method: 'BREW' })), 'any')
  })

  it('are checked in order: methods, remote_addrs, hosts, vars, filter_func, pattern', () => {
    const asked: string[] = []
    const table = router('radixtree_uri', {
      id: 'r',
      uris: ['/a/*/z'],
      hosts: ['b.com'],
      methods: ['POST'],
      remoteAddrs: ['10.0.0.1'],
      vars: {
        test: () => asked.push('vars') > 0 && false,
        variables: [],
        firstFailure: () => '["a","b"]',
      },
      filter: () => asked.push('filter') > 1,
    })
    const steps: [Partial<MatchRequest>, string][] = [
      [{}, 'method'],
      [{ method: 'POST' }, 'remote_addr'],
      [{ method: 'POST', remoteAddr: '10.0.0.1' }, 'host'],
      [{ method: 'POST', remoteAddr: '10.0.0.1', host: 'b.com' }, 'vars'],
    ]
    for (const [more, reason] of steps) assert.equal(table.explain(request('/a/1', more))[0]?.reason, reason)
    assert.deepEqual(asked, ['vars'])
  })

  it('a filter_func that throws is no match, and the next route has its turn', () => {
    const broken = (): boolean => {
      throw new Error('broken')
    }
    const table = router(
      'radixtree_uri',
      { id: 'r', uris: ['/a'], filter: broken },
      { id: 'next', uris: ['/*'] },
    )
    assert.equal(table.match(request('/a')), 'next')
    assert.match(table.explain(request('/a'))[0]?.detail ?? '', /threw: broken/)
  })

  it('a bad remote address is refused and changes nothing', () => {
    const table = router('radixtree_host_uri', { id: 'r', uris: ['/a'] })
    assert.throws(
      () => table.put(entry({ id: 'r', uris: ['/b'], remoteAddrs: ['1.2.3'] })),
      /invalid ip address: 1.2.3/,
    )
    assert.deepEqual(
      [table.match(request('/a')), table.match(request('/b')), table.size],
      ['r', undefined, 1],
    )
  })
})

describe('changing routes', () => {
  for (const type of EVERY) {
    it(`${type}: put replaces paths and hosts of the same id, delete removes all of them`, () => {
      const table = router(type, { id: 'r', uris: ['/a', '/b/*', '/a'], hosts: ['a.com', '*.a.com'] })
      assert.equal(table.match(request('/b/1', { host: 'x.a.com' })), 'r')
      table.put(entry({ id: 'r', uris: ['/c'], target: 'new' }))
      assert.equal(table.size, 1)
      assert.deepEqual(
        ['/a', '/b/1', '/c'].map((path) => table.match(request(path))),
        [undefined, undefined, 'new'],
      )
      assert.equal(table.delete('r'), true)
      assert.equal(table.delete('r'), false)
      assert.equal(table.match(request('/c')), undefined)
      assert.equal(table.size, 0)
    })

    it(`${type}: an update takes the place its order gives it`, () => {
      const table = router(type, { id: 'a', uris: ['/x'], order: 1 }, { id: 'b', uris: ['/x'], order: 2 })
      table.put(entry({ id: 'a', uris: ['/x'], order: 1, target: 'a2' }))
      assert.equal(table.match(request('/x')), 'a2')
      table.put(entry({ id: 'b', uris: ['/x'], order: 2, priority: 1 }))
      assert.equal(table.match(request('/x')), 'b')
    })
  }
})

describe('explain', () => {
  it('lists candidates in the order they are tried, with the reason each was passed over', () => {
    const table = router(
      'radixtree_host_uri',
      { id: 'method', uris: ['/a/b'], hosts: ['a.com'], methods: ['PUT', 'POST'] },
      { id: 'vars', uris: ['/a/*'], hosts: ['*.com'], vars: compileExpression([['arg_x', '==', '1']]) },
      { id: 'glob', uris: ['/a/*/z'] },
      { id: 'hit', uris: ['/a/*'] },
      { id: 'rest', uris: ['/*'] },
      { id: 'elsewhere', uris: ['/c'] },
    )
    const seen = request('/a/b')
    assert.deepEqual(table.explain(seen), [
      {
        id: 'method',
        uri: '/a/b',
        host: 'a.com',
        outcome: 'missed',
        reason: 'method',
        detail: 'method GET is not one of PUT, POST',
      },
      {
        id: 'vars',
        uri: '/a/*',
        host: '*.com',
        outcome: 'missed',
        reason: 'vars',
        detail: 'vars: ["arg_x","==","1"] did not hold',
      },
      {
        id: 'glob',
        uri: '/a/*/z',
        host: undefined,
        outcome: 'missed',
        reason: 'param',
        detail: 'path "/a/b" does not fit "/a/*/z"',
      },
      { id: 'hit', uri: '/a/*', host: undefined, outcome: 'matched' },
      { id: 'rest', uri: '/*', host: undefined, outcome: 'not-reached' },
    ])
    assert.equal(seen.pathParams, undefined)
    assert.equal(table.match(seen), 'hit')
  })
})

describe('a route whose conditions need the body', () => {
  const vars = compileExpression([['post_arg_a', '==', '1']])
  const needing = { id: 'body', uris: ['/a/*'], hosts: ['a.com'], methods: ['POST'], vars, needsBody: true }
  const unread = () => request('/a/b', { method: 'POST', hasUnreadBody: true })

  it('makes a match ask for it where all else fits, and is matched once it is read', () => {
    for (const type of EVERY) {
      const table = router(type, needing, { id: 'other', uris: ['/*'] })
      const first = unread()
      assert.equal(table.match(first), undefined)
      assert.equal(first.isBodyWanted, true)
      assert.equal(table.match(request('/a/b', { method: 'POST', vars: { post_arg_a: '1' } })), 'body')
      assert.equal(table.match(request('/a/b', { method: 'POST', vars: { post_arg_a: '2' } })), 'other')
    }
  })

  it('asks for nothing where it cannot match, or another comes before it', () => {
    for (const type of EVERY) {
      const table = router(
        type,
        needing,
        { id: 'other', uris: ['/*'] },
        { ...needing, id: 'first', uris: ['/a/first'], vars: undefined, needsBody: false },
      )
      for (const [path, more, expected] of [
        ['/b', {}, 'other'],
        ['/a/b', { method: 'PUT' }, 'other'],
        ['/a/b', { host: 'b.com' }, 'other'],
        ['/a/first', {}, 'first'],
      ] as const) {
        const asked = { ...request(path, { method: 'POST', ...more }), hasUnreadBody: true }
        assert.equal(table.match(asked), expected, path)
        assert.equal(asked.isBodyWanted, undefined, path)
      }
    }
  })

  it('asks for nothing where its pattern does not fit in the end', () => {
    const table = router('radixtree_uri', { ...needing, uris: ['/a/*/z'] }, { id: 'other', uris: ['/*'] })
    const asked = unread()
    assert.deepEqual([table.match(asked), asked.isBodyWanted], ['other', undefined])
  })
})
