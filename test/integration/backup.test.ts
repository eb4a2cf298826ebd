import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

it('a copy of data_dir, taken while the gateway was stopped, is all that another one needs', async (t) => {
  const upstream = await fakeUpstream(t, (_request, response) => response.end('ok'))
  const folder = mkdtempSync(join(tmpdir(), 'gatewright-backup-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const startOn = (name: string) =>
    startGateway(
      t,
      {},
      { settings: { 'gatewright.store': 'embedded', 'gatewright.data_dir': join(folder, name) } },
    )
  const statusOf = async (proxyUrl: string) =>
    (await fetch(`${proxyUrl}/guarded`, { headers: { apikey: 'jacks-key' } })).status

  const first = await startOn('original')
  await first.admin('PUT', 'consumers', { username: 'jack', plugins: { 'key-auth': { key: 'jacks-key' } } })
  await first.admin('PUT', 'routes/guarded?wait=applied', {
    uri: '/guarded',
    plugins: { 'key-auth': {} },
    upstream: { nodes: { [`127.0.0.1:${upstream.port}`]: 1 } },
  })
  assert.equal(await statusOf(first.proxyUrl), 200)
  assert.equal((await first.stop()).forced, 0)

  for (const name of ['copy', 'copy-without-key']) {
    cpSync(join(folder, 'original'), join(folder, name), { recursive: true })
  }
  assert.equal(statSync(join(folder, 'copy', 'encryption.key')).mode & 0o777, 0o600)
  const second = await startOn('copy')
  assert.equal(await statusOf(second.proxyUrl), 200)

  // What was encrypted with a key that is gone is gone.
  rmSync(join(folder, 'copy-without-key', 'encryption.key'))
  const third = await startOn('copy-without-key')
  assert.equal(await statusOf(third.proxyUrl), 401)
})
