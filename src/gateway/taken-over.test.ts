import assert from 'node:assert/strict'
import { it } from 'node:test'
import { loadSettings } from '../settings/load.ts'
import { differingKeys, takenOver } from './taken-over.ts'

const load = (flags: Readonly<Record<string, unknown>>) =>
  loadSettings({ env: {}, workingDirectory: '/tmp', flags }).settings

it('settings that are read again are taken over by workers, but for what the primary process has too', () => {
  const current = load({ 'apisix.node_listen': [9080], 'apisix.status.port': 7001 })
  const next = load({
    'apisix.node_listen': [9081],
    'apisix.status.port': 7002,
    'apisix.ssl.fallback_sni': 'a.test',
    'gatewright.limits.max_uri_bytes': 1000,
    'gatewright.workers': 3,
    'nginx_config.http.send_timeout': '7s',
  })
  const taken = takenOver(current, next)
  assert.deepEqual(taken.gatewright.limits, next.gatewright.limits)
  assert.equal(taken.nginx_config.http.send_timeout, 7000)
  assert.deepEqual(
    [taken.gatewright.workers, taken.apisix.status],
    [current.gatewright.workers, current.apisix.status],
  )
  assert.deepEqual(taken.apisix.node_listen, next.apisix.node_listen)
  assert.equal(taken.apisix.ssl.fallback_sni, 'a.test')
  assert.deepEqual(differingKeys(taken, next), ['apisix.status', 'gatewright.workers'])
  assert.deepEqual(differingKeys(current, current), [])
})

it('the number of workers is taken over where there are several before and after', () => {
  const [one, two, five] = [1, 2, 5].map((workers) => load({ 'gatewright.workers': workers }))
  const workersOf = (current = one!, next = one!) => takenOver(current, next).gatewright.workers
  assert.deepEqual([workersOf(two, five), workersOf(five, two)], [5, 2])
  assert.deepEqual([workersOf(one, five), workersOf(five, one)], [1, 5])
})

it('the authorities that nodes are checked with stay, because probes use them too', () => {
  const [current, next] = [load({}), load({ 'apisix.ssl.ssl_trusted_certificate': '/tmp/other.pem' })]
  const taken = takenOver(current, next)
  assert.equal(taken.apisix.ssl.ssl_trusted_certificate, current.apisix.ssl.ssl_trusted_certificate)
  assert.deepEqual(differingKeys(taken, next), ['apisix.ssl'])
})
