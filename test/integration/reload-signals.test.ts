import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { rawConnect } from '../support/raw-client.ts'
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

it('SIGHUP moves the listeners of the proxy: what is under way on the old ones ends, and a port that is taken changes nothing', async (t) => {
  const held: ServerResponse[] = []
  const upstream = await fakeUpstream(t, (request, response) => {
    if (request.url === '/held') held.push(response)
    else response.end('ok')
  })
  const node = await spawnNode(t, { workers: 2 })
  await node.route('1', { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } })
  const path = `${node.directory}/config.yaml`
  const settings = JSON.parse(readFileSync(path, 'utf8'))
  const moveTo = (port: number) => {
    const apisix = { ...settings.apisix, node_listen: [{ ip: '127.0.0.1', port }] }
    writeFileSync(path, JSON.stringify({ ...settings, apisix }))
    node.signal('SIGHUP')
  }
  const statusAt = (port: number) =>
    fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } }).then(
      ({ status }) => status,
      () => undefined,
    )

  await t.test('to a port that is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    moveTo(port)
    await eventually('it says so', () => node.output().includes('were not taken over'), 60_000)
    await new Promise((resolve) => taken.close(resolve))
    assert.equal(await statusAt(node.proxyPort), 200)
  })

  await t.test('to one that is free', async () => {
    const client = await rawConnect(t, node.proxyPort)
    client.send('GET /held HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually('it is under way', () => held.length === 1, 30_000)
    const free = createServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    const { port } = free.address() as AddressInfo
    await new Promise((resolve) => free.close(resolve))
    moveTo(port)
    await eventually('it serves there', async () => (await statusAt(port)) === 200, 60_000)
    held[0]!.end('late')
    assert.match(await client.untilClosed(), /late/)
    await eventually(
      'it does not serve here',
      async () => (await statusAt(node.proxyPort)) === undefined,
      60_000,
    )
    assert.equal((await node.serving()).length, 2)
    assert.equal((await node.readiness()).status, 200)
  })
})
