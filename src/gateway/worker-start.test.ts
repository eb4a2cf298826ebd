import assert from 'node:assert/strict'
import { it } from 'node:test'
import { loadSettings } from '../settings/load.ts'
import { withChosenPorts } from './worker-start.ts'

const load = (ports: readonly number[], flags: Readonly<Record<string, unknown>> = {}) =>
  loadSettings({
    env: {},
    workingDirectory: '/tmp',
    flags: {
      'apisix.node_listen': ports.map((port) => ({ ip: '127.0.0.1', port })),
      'apisix.ssl.listen': [{ ip: '127.0.0.1', port: 0 }],
      ...flags,
    },
  }).settings

it('a port is chosen where none is asked for, and kept as long as the listeners are asked for as before', async () => {
  const first = await withChosenPorts(load([0, 9080]))
  const [chosen, fixed] = first.chosen.apisix.node_listen
  assert.ok(chosen!.port > 0)
  assert.equal(fixed!.port, 9080)
  const same = await withChosenPorts(load([0, 9080], { 'gatewright.server_header': 'x' }), first)
  assert.deepEqual(same.chosen.apisix, first.chosen.apisix)
  assert.equal(same.chosen.gatewright.server_header, 'x')
  const other = await withChosenPorts(load([9081]), same)
  assert.deepEqual(
    other.chosen.apisix.node_listen.map(({ port }) => port),
    [9081],
  )
  assert.deepEqual(other.chosen.apisix.ssl.listen, first.chosen.apisix.ssl.listen)
})

it('a listener with TLS that comes later gets a port then', async () => {
  const without = await withChosenPorts(load([9080], { 'apisix.ssl.enable': false }))
  assert.equal(without.chosen.apisix.ssl.listen[0]!.port, 0)
  const later = await withChosenPorts(load([9080]), without)
  assert.ok(later.chosen.apisix.ssl.listen[0]!.port > 0)
})
