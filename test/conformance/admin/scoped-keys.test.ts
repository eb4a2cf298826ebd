import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AdminDeps } from '../../../admin/api/index.ts'
import { checkRows, type Row, startAdmin } from './start-admin.ts'

const KEYS: AdminDeps['keys'] = [
  { key: 'verbs', name: 'verbs', role: 'admin', scope: { verbs: ['GET', 'PATCH'] } },
  { key: 'kinds', name: 'kinds', role: 'admin', scope: { resources: ['routes', 'credentials', 'schema'] } },
  { key: 'prefix', name: 'prefix', role: 'admin', scope: { id_prefix: 'team-a-' } },
  { key: 'label', name: 'label', role: 'admin', scope: { label: { team: 'a', stage: 'test' } } },
  { key: 'reads', name: 'reads', role: 'viewer', scope: { id_prefix: 'team-a-' } },
]
const OURS = { uri: '/a', plugins: {}, labels: { team: 'a', stage: 'test', more: 'x' } }
const THEIRS = { uri: '/b', plugins: {}, labels: { team: 'b', stage: 'test' } }
const PLAIN = { uri: '/c', plugins: {} }
const GIVEN = { 'routes/team-a-1': OURS, 'routes/team-b-1': THEIRS, 'routes/1': PLAIN }

const LIMITED = 'outside the scope of the key: it is limited to '
const IDS = `${LIMITED}ids that begin with "team-a-", and this is `
const VERBS = `${LIMITED}verbs GET, PATCH, and this is `
const KINDS = `${LIMITED}resources routes, credentials, schema, and this is `
const LABEL = `${LIMITED}resources with the label `

/** A row for the key of that name. */
function by(key: string, row: Row): Row {
  return { given: GIVEN, ...row, rule: row.rule, headers: { 'x-api-key': key } }
}

describe('a key with verbs', () => {
  checkRows(
    [
      { rule: 'reads with GET', request: ['GET', '/routes/1'] as const, status: 200 },
      { rule: 'changes with PATCH', request: ['PATCH', '/routes/1', { desc: 'd' }] as const, status: 200 },
      ...(['PUT', 'DELETE', 'POST'] as const).map((method) => ({
        rule: `may not ${method}`,
        request: [method, '/routes/1', PLAIN] as const,
        status: 403,
        answer: VERBS + method,
      })),
      {
        rule: 'may not validate with POST',
        request: ['POST', '/schema/validate/routes', PLAIN] as const,
        status: 403,
        answer: `${VERBS}POST`,
      },
    ].map((row) => by('verbs', row)),
    { keys: KEYS },
  )
})

describe('a key with resources', () => {
  checkRows(
    [
      { rule: 'writes what is among them', request: ['PUT', '/routes/9', PLAIN] as const, status: 201 },
      {
        rule: 'may not write others',
        request: ['PUT', '/services/1', { plugins: {} }] as const,
        status: 403,
        answer: `${KINDS}services`,
      },
      {
        rule: 'may not list others',
        request: ['GET', '/services'] as const,
        status: 403,
        answer: `${KINDS}services`,
      },
      { rule: 'sees schemas when named', request: ['GET', '/schema/route'] as const, status: 200 },
      {
        rule: 'does not see plugins when not named',
        request: ['GET', '/plugins/list'] as const,
        status: 403,
        answer: `${KINDS}plugins`,
      },
      {
        rule: 'has no way around through a consumer when it may only write credentials',
        request: ['PUT', '/consumers/jack', { username: 'jack' }] as const,
        status: 403,
        answer: `${KINDS}consumers`,
      },
      {
        rule: 'may refer to others',
        given: { 'upstreams/1': { nodes: {} } },
        request: ['PUT', '/routes/9', { uri: '/a', upstream_id: '1' }] as const,
        status: 201,
      },
      {
        rule: 'is refused before its body is looked at',
        request: ['PUT', '/services/1', '{'] as const,
        status: 403,
      },
    ].map((row) => by('kinds', row)),
    { keys: KEYS },
  )
})

describe('a key with an id prefix', () => {
  checkRows(
    [
      {
        rule: 'lists only its own',
        request: ['GET', '/routes'] as const,
        status: 200,
      },
      { rule: 'reads its own', request: ['GET', '/routes/team-a-1'] as const, status: 200 },
      {
        rule: 'may not read others',
        request: ['GET', '/routes/team-b-1'] as const,
        status: 403,
        answer: `${IDS}"team-b-1"`,
      },
      {
        rule: 'gets 404 for its own that is not there',
        request: ['GET', '/routes/team-a-9'] as const,
        status: 404,
      },
      { rule: 'creates its own', request: ['PUT', '/routes/team-a-2', PLAIN] as const, status: 201 },
      {
        rule: 'may not create others',
        request: ['PUT', '/routes/2', PLAIN] as const,
        status: 403,
        answer: `${IDS}"2"`,
      },
      {
        rule: 'may not create others by an id in the body',
        request: ['PUT', '/routes', { ...PLAIN, id: 'team-b-2' }] as const,
        status: 403,
        answer: `${IDS}"team-b-2"`,
      },
      {
        rule: 'may not change others',
        request: ['PATCH', '/routes/1', { desc: 'd' }] as const,
        status: 403,
        answer: `${IDS}"1"`,
      },
      {
        rule: 'may not change others by a sub-path',
        request: ['PATCH', '/routes/1/desc', '"d"'] as const,
        status: 403,
        answer: `${IDS}"1"`,
      },
      {
        rule: 'may not delete others',
        request: ['DELETE', '/routes/1'] as const,
        status: 403,
        answer: `${IDS}"1"`,
      },
      {
        rule: 'may not delete others by force',
        request: ['DELETE', '/routes/1?force=true'] as const,
        status: 403,
        answer: `${IDS}"1"`,
      },
      {
        rule: 'may not POST, which makes ids of its own',
        request: ['POST', '/routes', PLAIN] as const,
        status: 403,
        answer: `${LIMITED}ids that begin with "team-a-", and POST makes its own; use PUT`,
      },
      {
        rule: 'is meant by the name of a consumer too',
        request: ['PUT', '/consumers/team-b-jack', { username: 'team-b-jack' }] as const,
        status: 403,
        answer: `${IDS}"team-b-jack"`,
      },
      { rule: 'sees schemas and plugins', request: ['GET', '/plugins/list'] as const, status: 200 },
      {
        rule: 'may validate',
        request: ['POST', '/schema/validate/routes', PLAIN] as const,
        status: 200,
      },
      {
        rule: 'may not do what concerns everything',
        request: ['PUT', '/plugins/reload'] as const,
        status: 403,
        answer: `${LIMITED}single resources, and plugins concerns all of them`,
      },
    ].map((row) => by('prefix', row)),
    { keys: KEYS },
  )

  it('lists, filters, counts and pages only its own', async () => {
    const admin = await startAdmin({ keys: KEYS })
    for (const [key, value] of Object.entries(GIVEN)) {
      await admin.store.put(`/apisix/${key}`, JSON.stringify(value))
    }
    for (const key of ['prefix', 'label', 'reads']) {
      for (const query of ['', '?page=1&page_size=10', '?uri=.']) {
        const { body } = await admin.send('GET', `/routes${query}`, { headers: { 'x-api-key': key } })
        const { total, list } = body as { total: number; list: { key: string }[] }
        assert.deepEqual([total, list.map((one) => one.key)], [1, ['/apisix/routes/team-a-1']], key)
      }
    }
  })
})

describe('a key with labels', () => {
  checkRows(
    [
      { rule: 'reads what has them all', request: ['GET', '/routes/team-a-1'] as const, status: 200 },
      {
        rule: 'may not read what has another value',
        request: ['GET', '/routes/team-b-1'] as const,
        status: 403,
        answer: `${LABEL}team=a, and the stored resource does not have it`,
      },
      {
        rule: 'may not read what has none',
        request: ['GET', '/routes/1'] as const,
        status: 403,
        answer: `${LABEL}team=a, and the stored resource does not have it`,
      },
      { rule: 'creates what has them', request: ['PUT', '/routes/9', OURS] as const, status: 201 },
      { rule: 'posts what has them', request: ['POST', '/routes', OURS] as const, status: 201 },
      ...(['PUT /routes/9', 'POST /routes'] as const).map((what) => ({
        rule: `may not ${what} without one of them`,
        request: [...what.split(' '), { ...OURS, labels: { team: 'a' } }] as [string, string, unknown],
        status: 403,
        answer: `${LABEL}stage=test, and the new one does not have it`,
      })),
      {
        rule: 'may not take over what others have',
        request: ['PUT', '/routes/team-b-1', OURS] as const,
        status: 403,
        answer: `${LABEL}team=a, and the stored resource does not have it`,
      },
      {
        rule: 'may not move its own out of scope with PUT',
        request: ['PUT', '/routes/team-a-1', THEIRS] as const,
        status: 403,
        answer: `${LABEL}team=a, and the new one does not have it`,
      },
      {
        rule: 'may not move its own out of scope with PATCH',
        request: ['PATCH', '/routes/team-a-1', { labels: { team: 'b' } }] as const,
        status: 403,
        answer: `${LABEL}team=a, and the new one does not have it`,
      },
      {
        rule: 'may not move its own out of scope with PATCH of a sub-path',
        request: ['PATCH', '/routes/team-a-1/labels/stage', '"live"'] as const,
        status: 403,
        answer: `${LABEL}stage=test, and the new one does not have it`,
      },
      {
        rule: 'may not move what others have into its scope with PATCH',
        request: ['PATCH', '/routes/team-b-1', { labels: { team: 'a' } }] as const,
        status: 403,
        answer: `${LABEL}team=a, and the stored resource does not have it`,
      },
      {
        rule: 'changes its own',
        request: ['PATCH', '/routes/team-a-1', { desc: 'd' }] as const,
        status: 200,
      },
      { rule: 'deletes its own', request: ['DELETE', '/routes/team-a-1'] as const, status: 200 },
      {
        rule: 'may not delete what others have',
        request: ['DELETE', '/routes/team-b-1'] as const,
        status: 403,
        answer: `${LABEL}team=a, and the stored resource does not have it`,
      },
      {
        rule: 'may not delete what has no labels by kind',
        given: { 'global_rules/1': { id: '1', plugins: {} } },
        request: ['DELETE', '/global_rules/1'] as const,
        status: 403,
      },
      {
        rule: 'is not fooled by what only looks like labels',
        given: { 'routes/9': { ...PLAIN, labels: ['team'] } },
        request: ['GET', '/routes/9'] as const,
        status: 403,
      },
      {
        rule: 'may refer to what others have',
        given: { 'upstreams/1': { nodes: {}, labels: { team: 'b' } } },
        request: ['PUT', '/routes/9', { ...OURS, plugins: undefined, upstream_id: '1' }] as const,
        status: 201,
      },
      {
        rule: 'gets 404 for a DELETE of what is not there',
        request: ['DELETE', '/routes/9'] as const,
        status: 404,
      },
    ].map((row) => by('label', row)),
    { keys: KEYS },
  )

  it('loses when the label changes between the look and the write', async () => {
    const { store } = await startAdmin()
    let interfere = async () => {}
    const racing = new Proxy(store, {
      get: (target, name) => {
        const member = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        return async (...args: unknown[]) => {
          if (name === 'put') await interfere()
          return member.apply(target, args)
        }
      },
    })
    await store.put('/apisix/routes/1', JSON.stringify(OURS))
    const admin = await startAdmin({ store: racing, keys: KEYS })
    interfere = async () => {
      await store.put('/apisix/routes/1', JSON.stringify(THEIRS))
    }
    const shown = await admin.send('PUT', '/routes/1', { body: OURS, headers: { 'x-api-key': 'label' } })
    assert.deepEqual([shown.status, shown.body], [503, { error_msg: 'value changed before overwritten' }])
    assert.match((await store.get('/apisix/routes/1'))!.value, /"team":"b"/)
  })
})

describe('a scope', () => {
  const KINDS_KEY = { 'x-api-key': 'kinds' }
  for (const path of [
    '/routes/../services/1',
    '/routes/%2e%2e/services/1',
    '/routes%2F..%2Fservices%2F1',
    '//apisix/admin/routes/..//services/1',
    '/consumers//jack/x/../../jack',
    '/services/1/',
    '/services/1?x=/routes/1',
    '/services%2F1',
  ]) {
    it(`is not got around by ${path}`, async () => {
      const admin = await startAdmin({ keys: KEYS })
      await admin.store.put('/apisix/services/1', '{"plugins":{}}')
      await admin.store.put('/apisix/consumers/jack', '{"username":"jack"}')
      const before = await admin.content()
      for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
        const shown = await admin.send(method, path, { body: { plugins: {} }, headers: KINDS_KEY })
        assert.equal(shown.status, 403, `${method}: ${shown.text}`)
      }
      assert.deepEqual(await admin.content(), before)
    })
  }

  it('adds nothing to a role', async () => {
    const admin = await startAdmin({ keys: KEYS })
    const headers = { 'x-api-key': 'reads' }
    const shown = await admin.send('PUT', '/routes/team-a-1', { body: PLAIN, headers })
    assert.deepEqual(
      [shown.status, shown.body],
      [401, { error_msg: 'failed to check token', description: 'invalid method for role viewer' }],
    )
  })

  it('does not show the key in its refusals', async () => {
    const keys: AdminDeps['keys'] = [
      { key: 'a-secret-text', name: 'n', role: 'admin', scope: { verbs: ['GET'], id_prefix: 'a' } },
    ]
    const admin = await startAdmin({ keys })
    const headers = { 'x-api-key': 'a-secret-text' }
    for (const [method, path] of [
      ['PUT', '/routes/1'],
      ['GET', '/routes/1'],
    ] as const) {
      const shown = await admin.send(method, path, { body: PLAIN, headers })
      assert.equal(shown.status, 403)
      assert.doesNotMatch(shown.text, /secret/)
    }
  })

  it('holds for a dry run', async () => {
    const admin = await startAdmin({ keys: KEYS })
    const shown = await admin.send('PUT', '/routes/1?dry_run=true', {
      body: PLAIN,
      headers: { 'x-api-key': 'prefix' },
    })
    assert.equal(shown.status, 403)
  })
})
