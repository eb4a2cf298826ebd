import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createLogger } from '../observe/logger.ts'
import type { AnyPlugin, PluginHost } from '../plugin/definition.ts'
import { PluginRegistry } from '../plugin/registry.ts'
import { loadSettings } from '../settings/load.ts'
import { createEnvironment } from './environment.ts'

const plugin: AnyPlugin = {
  name: 'asks',
  priority: 1,
  schema: {},
  compile: ({ tell }, host) => {
    tell(host)
    return {}
  },
}

/** What a plugin is given when it is mounted, and when an instance of it is compiled. */
function hosts(flags: Record<string, unknown>): PluginHost[] {
  const { settings } = loadSettings({ env: {}, workingDirectory: '/', flags })
  const registry = new PluginRegistry()
  registry.register(plugin)
  const { hostFor, compile } = createEnvironment(settings, registry, { logger: createLogger('silent') })
  const told = [hostFor(plugin)]
  const prepared = registry.prepare(plugin.name, {}, 'resource')
  const config = { tell: (host: PluginHost) => told.push(host) }
  compile.instances.create({ ...prepared, config }, { kind: 'routes', id: '1' })
  return told
}

const toldPorts = (flags: Record<string, unknown>) => hosts(flags).map(({ httpsPort }) => httpsPort)

describe('the prefix of metrics that plugins are told', () => {
  it('is the one of the settings', () => {
    const prefixes = (flags: Record<string, unknown>) => hosts(flags).map(({ metricPrefix }) => metricPrefix)
    assert.deepEqual(prefixes({}), ['apisix_', 'apisix_'])
    const own = { 'plugin_attr.prometheus.metric_prefix': 'edge_' }
    assert.deepEqual(prefixes(own), ['edge_', 'edge_'])
  })
})

describe('the TLS port that plugins are told', () => {
  it('is that of the first TLS listener', () => {
    assert.deepEqual(toldPorts({}), [9443, 9443])
    const listen = [{ port: 8443 }, { port: 443 }]
    assert.deepEqual(toldPorts({ 'apisix.ssl.listen': listen }), [8443, 8443])
  })

  it('is not known when there is none, or when it is chosen at the start', () => {
    assert.deepEqual(toldPorts({ 'apisix.ssl.enable': false }), [undefined, undefined])
    assert.deepEqual(toldPorts({ 'apisix.ssl.listen': [{ port: 0 }] }), [undefined, undefined])
  })
})
