import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { it } from 'node:test'
import { spawnNode } from '../support/spawn-node.ts'
import { eventually } from '../support/watch-recording.ts'

it('SIGHUP reads the settings again: new workers take them over, and what cannot be used changes nothing', async (t) => {
  const node = await spawnNode(t, { workers: 2 })
  const path = `${node.directory}/config.yaml`
  const settings = JSON.parse(readFileSync(path, 'utf8'))
  const rewrite = (gatewright: object) =>
    writeFileSync(
      path,
      JSON.stringify({ ...settings, gatewright: { ...settings.gatewright, ...gatewright } }),
    )
  const server = async () =>
    (await fetch(node.proxyUrl, { headers: { connection: 'close' } })).headers.get('server')
  const before = (await node.serving()).map(({ pid }) => pid)

  await t.test('settings that cannot be used', async () => {
    rewrite({ unknown_word: 1 })
    node.signal('SIGHUP')
    await eventually('it says so', () => /not taken over: .*unknown_word/.test(node.output()))
    assert.deepEqual(
      (await node.serving()).map(({ pid }) => pid),
      before,
    )
    assert.match(
      await node.metrics(),
      /^gatewright_reloads_total\{subject="settings",outcome="invalid"\} 1$/m,
    )
    assert.equal((await node.readiness()).status, 200)
  })

  await t.test('settings that can', async () => {
    rewrite({ server_header: 'again', workers: 3, shutdown: { min_drain_ms: 1 } })
    node.signal('SIGHUP')
    // The second and the third one are one wish.
    node.signal('SIGHUP')
    node.signal('SIGHUP')
    await eventually(
      'the new workers serve',
      async () => (await server()) === 'again' && (await server()) === 'again',
      60_000,
    )
    await eventually(
      'it says what is left',
      () => /next start on: gatewright\.shutdown$/m.test(node.output()),
      60_000,
    )
    assert.equal((await node.readiness()).status, 200)
    const after = (await node.serving(3)).map(({ pid }) => pid)
    assert.deepEqual(
      after.filter((pid) => before.includes(pid)),
      [],
    )
  })
})
