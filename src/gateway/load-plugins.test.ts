import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { definePlugin } from '../plugin/definition.ts'
import type { Settings } from '../settings/settings.ts'
import { type Catalogue, loadPlugins } from './load-plugins.ts'

const compile = () => ({})
const plain = definePlugin<object>({ name: 'plain', priority: 1, schema: { type: 'object' }, compile })
const sized = definePlugin<object>({
  name: 'sized',
  priority: 2,
  schema: { type: 'object' },
  attrSchema: {
    type: 'object',
    properties: {
      size: { type: 'integer', minimum: 1, default: 8 },
      ports: { type: 'array', items: { type: 'object', properties: { port: { type: 'integer' } } } },
      api_token: { type: 'string' },
    },
    additionalProperties: false,
  },
  compile,
})
const catalogue: Catalogue = {
  plain: async () => ({ default: plain }),
  sized: async () => ({ default: sized }),
}
const load = (plugins: Settings['plugins'], plugin_attr: Record<string, unknown> = {}) =>
  loadPlugins(catalogue, { plugins, plugin_attr: Object.freeze(plugin_attr) as Settings['plugin_attr'] })

describe('the plugins of a gateway', () => {
  it('are those of the catalogue that the settings name, by priority', async () => {
    assert.deepEqual((await load('all')).all(), [sized, plain])
    assert.deepEqual((await load(['plain', 'no-such'])).all(), [plain])
  })

  it('see their plugin_attr with the defaults of its schema; without a schema as it is', async () => {
    const registry = await load('all', { plain: { any: 1 }, sized: { ports: [{ port: 1 }] } })
    assert.deepEqual(registry.attr('sized'), { ports: [{ port: 1 }], size: 8 })
    assert.deepEqual(registry.attr('plain'), { any: 1 })
    assert.deepEqual((await load('all')).attr('sized'), { size: 8 })
  })

  for (const [attr, message] of [
    [{ size: 'ten' }, 'plugin_attr.sized.size: wrong type: expected integer, got string; it is "ten"'],
    [{ size: 0 }, 'plugin_attr.sized.size: expected 0 to be at least 1; it is 0'],
    [
      { ports: [{ port: 1 }, { port: 'x' }] },
      'plugin_attr.sized.ports[1].port: wrong type: expected integer, got string; it is "x"',
    ],
    [{ zise: 1 }, 'plugin_attr.sized: additional properties forbidden, found zise; it is {"zise":1}'],
    [{ api_token: 7 }, 'plugin_attr.sized.api_token: wrong type: expected string, got number; it is "***"'],
  ] as const) {
    it(`are not loaded with plugin_attr ${JSON.stringify(attr)}: key, reason and value are named`, async () => {
      await assert.rejects(load(['sized'], { sized: attr }), { message })
    })
  }

  it('that are not enabled do not look at their plugin_attr', async () => {
    assert.equal((await load(['plain'], { sized: { size: 'ten' } })).get('sized'), undefined)
  })
})

describe('enabling other plugins', () => {
  it('hides what is registered and not named, and brings it back', async () => {
    const registry = await load('all')
    registry.setEnabled(['plain'])
    assert.deepEqual(registry.all(), [plain])
    assert.equal(registry.check('sized', {}, 'resource'), 'unknown plugin [sized]')
    registry.setEnabled(['plain', 'sized'])
    assert.equal(registry.check('sized', {}, 'resource'), undefined)
  })
})
