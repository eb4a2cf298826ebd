import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkRows, NOW, type Row, startAdmin } from './start-admin.ts'

const ROUTE = { uri: '/a', plugins: {} }
const TIMES = { create_time: NOW, update_time: NOW }
const GIVEN = { 'routes/1': { ...ROUTE, id: '1', create_time: 5, update_time: 6 } }
const DRY = { isDry: true, has: { 'x-gatewright-dry-run': 'true', etag: undefined } } as const

describe('?dry_run=true', () => {
  checkRows([
    {
      rule: 'of a PUT that would create answers as it would',
      request: ['PUT', '/routes/1?dry_run=true', ROUTE],
      status: 201,
      answer: { key: '/apisix/routes/1', value: { ...ROUTE, id: '1', ...TIMES } },
      ...DRY,
    },
    {
      rule: 'of a PUT that would replace answers as it would',
      given: GIVEN,
      request: ['PUT', '/routes/1?dry_run=true', { uri: '/b', plugins: {} }],
      status: 200,
      answer: {
        key: '/apisix/routes/1',
        value: { uri: '/b', plugins: {}, id: '1', create_time: 5, update_time: NOW },
      },
      ...DRY,
    },
    {
      rule: 'of a POST has the key of the directory and no id, because none is made',
      request: ['POST', '/routes?dry_run=true', ROUTE],
      status: 201,
      answer: { key: '/apisix/routes/', value: { ...ROUTE, ...TIMES } },
      ...DRY,
    },
    {
      rule: 'of a PATCH shows the merged document',
      given: GIVEN,
      request: ['PATCH', '/routes/1?dry_run=true', { desc: 'd' }],
      status: 200,
      answer: {
        key: '/apisix/routes/1',
        value: { ...ROUTE, id: '1', create_time: 5, update_time: NOW, desc: 'd' },
      },
      ...DRY,
    },
    {
      rule: 'of a PATCH of a sub-path shows the changed document',
      given: GIVEN,
      request: ['PATCH', '/routes/1/desc?dry_run=true', '"d"'],
      status: 200,
      ...DRY,
    },
    {
      rule: 'of a DELETE deletes nothing',
      given: GIVEN,
      request: ['DELETE', '/routes/1?dry_run=true'],
      status: 200,
      answer: { deleted: '1', key: '/apisix/routes/1' },
      ...DRY,
    },
    {
      rule: "of a consumer's DELETE leaves its credentials",
      given: {
        'consumers/jack': { username: 'jack' },
        'consumers/jack/credentials/1': { id: '1', plugins: {} },
      },
      request: ['DELETE', '/consumers/jack?dry_run=true'],
      status: 200,
      ...DRY,
    },
    {
      rule: 'grants no lease',
      request: ['PUT', '/routes/1?dry_run=true&ttl=5', ROUTE],
      status: 201,
      ...DRY,
    },
    {
      rule: 'waits for nothing',
      request: ['PUT', '/routes/1?dry_run=true&wait=applied', ROUTE],
      status: 201,
      ...DRY,
    },
    {
      rule: 'of what checks anyway changes nothing about it',
      request: ['POST', '/schema/validate/routes?dry_run=true', ROUTE],
      status: 200,
      ...DRY,
    },
    ...(['', '?dry_run=false'] as const).map(
      (query): Row => ({
        rule: `${query || 'left out'} writes`,
        request: ['PUT', `/routes/1${query}`, ROUTE],
        status: 201,
        has: { 'x-gatewright-dry-run': undefined, etag: '"2"' },
      }),
    ),
    ...['', '1', 'yes', 'TRUE', 'x'].map(
      (value): Row => ({
        rule: `takes no ${JSON.stringify(value)}`,
        request: ['PUT', `/routes/1?dry_run=${value}`, ROUTE],
        status: 400,
        answer: `invalid argument dry_run: ${JSON.stringify(value)} is neither true nor false`,
      }),
    ),
    { rule: 'means nothing to a GET', given: GIVEN, request: ['GET', '/routes/1?dry_run=x'], status: 200 },
  ])
})

describe('a dry run is refused as the write would be', () => {
  const refused: readonly Row[] = [
    { rule: 'by the schema', request: ['PUT', '/routes/1', { uri: 1 }], status: 400 },
    {
      rule: 'by a plugin',
      request: ['PUT', '/routes/1', { uri: '/a', plugins: { 'test-limit': {} } }],
      status: 400,
    },
    {
      rule: 'by a reference',
      request: ['PUT', '/routes/1', { uri: '/a', upstream_id: 'none' }],
      status: 400,
      answer: 'failed to fetch upstream info by upstream id [none], response code: 404',
    },
    {
      rule: 'by the key of another consumer',
      given: { 'consumers/jack': { username: 'jack', plugins: { 'test-auth': { key: 'k' } } } },
      request: ['PUT', '/consumers/jill', { username: 'jill', plugins: { 'test-auth': { key: 'k' } } }],
      status: 400,
    },
    {
      rule: 'by what uses it',
      given: { 'upstreams/1': { nodes: {} }, 'routes/1': { uri: '/a', upstream_id: '1' } },
      dependents: [{ kind: 'routes', id: '1', via: 'reference' }],
      request: ['DELETE', '/upstreams/1'],
      status: 400,
      answer: 'can not delete this upstream, route [1] is still using it now',
    },
    { rule: 'by what is not there', request: ['DELETE', '/routes/1'], status: 404 },
    {
      rule: 'by If-Match',
      given: GIVEN,
      request: ['PUT', '/routes/1', ROUTE],
      headers: { 'if-match': '"9"' },
      status: 412,
    },
    {
      rule: 'by If-None-Match',
      given: GIVEN,
      request: ['PUT', '/routes/1', ROUTE],
      headers: { 'if-none-match': '*' },
      status: 412,
    },
  ]
  const dry = { 'x-gatewright-dry-run': 'true' }
  checkRows(
    refused.map((row) => {
      const [method, path, body] = row.request
      return { ...row, request: [method, `${path}?dry_run=true`, body], has: dry }
    }),
  )

  it('with the very same answer', async () => {
    for (const row of refused) {
      const [method, path, body] = row.request
      const answers: unknown[] = []
      for (const query of ['', '?dry_run=true']) {
        const admin = await startAdmin()
        admin.dependents.push(...(row.dependents ?? []))
        for (const [key, value] of Object.entries(row.given ?? {})) {
          await admin.store.put(`/apisix/${key}`, JSON.stringify(value))
        }
        const shown = await admin.send(method, `${path}${query}`, { body, headers: row.headers ?? {} })
        answers.push([shown.status, shown.body])
      }
      assert.deepEqual(answers[1], answers[0], row.rule)
    }
  })
})

describe('what concerns everything at once', () => {
  const rows: readonly [asked: string, query: string, headers: Record<string, string>][] = [
    ['dry_run', '?dry_run=true', {}],
    ['wait', '?wait=applied', {}],
    ['If-Match', '', { 'if-match': '"1"' }],
    ['If-None-Match', '', { 'if-none-match': '*' }],
  ]
  for (const [asked, query, headers] of rows) {
    it(`is refused with ${asked} and not done without it`, async () => {
      let reloads = 0
      const admin = await startAdmin({
        reloadPlugins: async () => {
          reloads++
        },
      })
      const shown = await admin.send('PUT', `/plugins/reload${query}`, { headers })
      assert.deepEqual(
        [shown.status, shown.body],
        [400, { error_msg: `PUT plugins/reload does not support ${asked}; leave it out` }],
      )
      assert.equal(reloads, 0)
    })
  }
})
