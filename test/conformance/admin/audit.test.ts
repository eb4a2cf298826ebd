import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AdminDeps, AuditEntry } from '../../../admin/api/index.ts'
import { ADMIN_KEY, type Admin, NOW, startAdmin, VIEWER_KEY } from './start-admin.ts'

const ROUTE = { uri: '/a', plugins: {} }
const WHO = { event: 'write', actor: 'admin', role: 'admin', clientAddress: '127.0.0.1' } as const

async function start(overrides: Partial<AdminDeps> = {}): Promise<{ admin: Admin; entries: AuditEntry[] }> {
  const entries: AuditEntry[] = []
  const admin = await startAdmin({ audit: { write: (entry) => entries.push(entry) }, ...overrides })
  return { admin, entries }
}

/** What was asked, with what stood there (at revision 2), and what the log says of it beside who it was. */
interface AuditRow {
  readonly rule: string
  readonly request: readonly [method: string, path: string, body?: unknown]
  readonly headers?: Record<string, string>
  /** `undefined` for no entry. */
  readonly entry: Partial<AuditEntry> | undefined
}

const ROWS: readonly AuditRow[] = [
  {
    rule: 'a PUT that creates, from revision 0',
    request: ['PUT', '/routes/9', ROUTE],
    entry: { method: 'PUT', resource: 'routes', id: '9', revisionBefore: 0, revisionAfter: 3, status: 201 },
  },
  {
    rule: 'a PUT that replaces, with both revisions',
    request: ['PUT', '/routes/1', ROUTE],
    entry: { method: 'PUT', resource: 'routes', id: '1', revisionBefore: 2, revisionAfter: 3, status: 200 },
  },
  {
    rule: 'a PUT whose id is in the body',
    request: ['PUT', '/routes', { ...ROUTE, id: 'x' }],
    entry: { method: 'PUT', resource: 'routes', id: 'x', revisionBefore: 0, revisionAfter: 3, status: 201 },
  },
  {
    rule: 'a POST, with the id that was made',
    request: ['POST', '/routes', ROUTE],
    entry: {
      method: 'POST',
      resource: 'routes',
      id: '00000000000000000003',
      revisionBefore: 0,
      revisionAfter: 4,
      status: 201,
    },
  },
  {
    rule: 'a PATCH, with its sub-path',
    request: ['PATCH', '/routes/1/plugins/test-log', {}],
    entry: {
      method: 'PATCH',
      resource: 'routes',
      id: '1',
      subPath: 'plugins/test-log',
      revisionBefore: 2,
      revisionAfter: 3,
      status: 200,
    },
  },
  {
    rule: 'a DELETE, and that it was forced',
    request: ['DELETE', '/routes/1?force=true'],
    entry: {
      method: 'DELETE',
      resource: 'routes',
      id: '1',
      isForced: true,
      revisionBefore: 2,
      revisionAfter: 3,
      status: 200,
    },
  },
  {
    rule: 'a dry run, marked, without a revision after',
    request: ['PUT', '/routes/1?dry_run=true', ROUTE],
    entry: { method: 'PUT', resource: 'routes', id: '1', isDryRun: true, revisionBefore: 2, status: 200 },
  },
  {
    rule: 'a refusal and its reason',
    request: ['PUT', '/routes/1', { ...ROUTE, id: '2' }],
    entry: { method: 'PUT', resource: 'routes', id: '1', status: 400, error: 'wrong route id' },
  },
  {
    rule: 'a refusal by If-Match',
    request: ['DELETE', '/routes/1'],
    headers: { 'if-match': '"9"' },
    entry: {
      method: 'DELETE',
      resource: 'routes',
      id: '1',
      status: 412,
      error: 'precondition failed: /apisix/routes/1 is at revision 2; If-Match asks for revision 9',
    },
  },
  {
    rule: 'what is not there',
    request: ['DELETE', '/routes/9'],
    entry: { method: 'DELETE', resource: 'routes', id: '9', status: 404, error: 'Key not found' },
  },
  {
    rule: 'an unknown resource',
    request: ['PUT', '/routs/1', ROUTE],
    entry: {
      method: 'PUT',
      resource: 'routs',
      id: '1',
      status: 404,
      error: 'Unsupported resource type: routs',
    },
  },
  {
    rule: 'a body that is no JSON, without the body',
    request: ['PUT', '/routes/1', '{"secret'],
    entry: {
      method: 'PUT',
      resource: 'routes',
      id: '1',
      status: 400,
      error:
        'invalid request body: Expected object key string but found unexpected end of string at character 9',
    },
  },
  {
    rule: 'a value that a message quotes, without it',
    request: ['PUT', '/routes/1', { ...ROUTE, host: 'my secret' }],
    entry: {
      method: 'PUT',
      resource: 'routes',
      id: '1',
      status: 400,
      error:
        'invalid configuration: property "host" validation failed: failed to match pattern "^\\*$|^\\*?[0-9a-zA-Z-._\\[\\]:]+$" with a value that is not shown',
    },
  },
  {
    rule: 'a plugin whose configuration a message quotes, without it',
    request: ['PUT', '/routes/1', { ...ROUTE, plugins: { 'test-log': 'my secret' } }],
    entry: {
      method: 'PUT',
      resource: 'routes',
      id: '1',
      status: 400,
      error: 'invalid plugin conf for plugin [test-log]',
    },
  },
  {
    rule: 'a write of a viewer, who is known',
    request: ['PUT', '/routes/1', ROUTE],
    headers: { 'x-api-key': VIEWER_KEY },
    entry: {
      actor: 'viewer',
      role: 'viewer',
      method: 'PUT',
      resource: 'routes',
      id: '1',
      status: 401,
      error: 'invalid method for role viewer',
    },
  },
  {
    rule: 'the user agent, shortened',
    request: ['PUT', '/routes/9', ROUTE],
    headers: { 'user-agent': 'a'.repeat(600) },
    entry: {
      userAgent: `${'a'.repeat(512)}…`,
      method: 'PUT',
      resource: 'routes',
      id: '9',
      revisionBefore: 0,
      revisionAfter: 3,
      status: 201,
    },
  },
  {
    rule: 'a wrong key, also when it reads',
    request: ['GET', '/routes/1'],
    headers: { 'x-api-key': 'my secret' },
    entry: {
      event: 'refused',
      method: 'GET',
      resource: 'routes',
      id: '1',
      status: 401,
      error: 'wrong apikey',
    },
  },
  { rule: 'no GET', request: ['GET', '/routes/1'], entry: undefined },
  { rule: 'no OPTIONS', request: ['OPTIONS', '/routes/1'], entry: undefined },
  { rule: 'no check of a schema', request: ['POST', '/schema/validate/routes', ROUTE], entry: undefined },
]

describe('the audit log has', () => {
  for (const { rule, request, headers = {}, entry } of ROWS) {
    it(rule, async () => {
      const { admin, entries } = await start()
      await admin.store.put('/apisix/routes/1', JSON.stringify(ROUTE))
      const [method, path, body] = request
      await admin.send(method, path, { body, headers: { 'user-agent': 'curl/8', ...headers } })
      if (entry === undefined) {
        assert.deepEqual(entries, [])
        return
      }
      assert.equal(entries.length, 1)
      const { durationMs, ...told } = entries[0]!
      assert.ok(durationMs >= 0 && durationMs < 60_000)
      const { actor, role, ...anyone } = WHO
      const who = entry.event === 'refused' ? anyone : { ...anyone, actor, role }
      assert.deepEqual(told, { ...who, userAgent: 'curl/8', ...entry })
      assert.doesNotMatch(JSON.stringify(entries), /my secret/)
      assert.ok(!JSON.stringify(entries).includes(ADMIN_KEY))
    })
  }

  it('an address that may not call', async () => {
    const { admin, entries } = await start()
    await admin.send('PUT', '/routes/1', { body: ROUTE, remoteAddress: '10.0.0.1' })
    assert.deepEqual(
      entries.map(({ event, clientAddress, status }) => [event, clientAddress, status]),
      [['refused', '10.0.0.1', 403]],
    )
  })

  it('whoever writes while no key is required, as anyone', async () => {
    const { admin, entries } = await start({ keyRequired: false })
    await admin.send('PUT', '/routes/1', { body: ROUTE, headers: { 'x-api-key': undefined } })
    assert.deepEqual([entries[0]?.actor, entries[0]?.status], ['anyone', 201])
  })

  it('what the store did not take', async () => {
    const { store } = await startAdmin()
    const broken = new Proxy(store, {
      get: (target, name) => {
        if (name === 'put') return () => Promise.reject(new Error('a detail'))
        const member = Reflect.get(target, name)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
    const { admin, entries } = await start({ store: broken })
    await admin.send('PUT', '/routes/1', { body: ROUTE })
    assert.deepEqual(
      entries.map(({ status, error }) => [status, error]),
      [[500, '500 Internal Server Error']],
    )
  })

  it('ten refused attempts in ten seconds, and how many more there were', async () => {
    const time = { now: NOW * 1000 }
    const { admin, entries } = await start({ clock: { now: () => time.now } })
    const attempt = () => admin.send('GET', '/routes', { headers: { 'x-api-key': 'wrong' } })
    for (let count = 0; count < 15; count++) await attempt()
    assert.equal(entries.length, 10)
    await admin.send('PUT', '/routes/1', { body: ROUTE })
    assert.equal(entries.length, 11, 'writes are never left out')
    time.now += 10_000
    await attempt()
    assert.equal(entries.at(-1)?.suppressed, 5)
    await attempt()
    assert.equal(entries.at(-1)?.suppressed, undefined)
  })
})
