import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DiscoveredNode, Discoverer } from './discoverer.ts'
import { Discovery } from './discovery.ts'

const NODE: DiscoveredNode = { host: '10.0.0.1', port: 1, weight: 1, priority: 0 }

function atlas(config: Readonly<Record<string, unknown>>): Discoverer {
  return {
    type: 'atlas',
    watch: ({ serviceName }, sink) => {
      if (serviceName === 'bad') throw new Error('no such form')
      sink.onNodes([{ ...NODE, weight: config['weight'] as number }])
      return { close: () => undefined }
    },
  }
}

function watch(config: Readonly<Record<string, unknown>>, type: string, serviceName = 'svc') {
  const heard: unknown[] = []
  new Discovery({ atlas }, config).watch(
    type,
    { serviceName, args: {} },
    { onNodes: (nodes) => void heard.push(nodes), onProblem: (reason) => void heard.push(reason) },
  )
  return heard
}

describe('discovery', () => {
  it('asks the discoverer of the type, made from its part of the settings', () => {
    assert.deepEqual(watch({ atlas: { weight: 7 } }, 'atlas'), [[{ ...NODE, weight: 7 }]])
  })

  it('tells why there is nothing: unknown type, type that is not configured, service that cannot be one', () => {
    assert.deepEqual(watch({}, 'nowhere'), ['discovery type "nowhere" is not known; use one of: atlas'])
    assert.deepEqual(watch({}, 'atlas'), [
      'discovery type "atlas" is not configured; add discovery.atlas to the settings',
    ])
    assert.deepEqual(watch({ atlas: {} }, 'atlas', 'bad'), ['no such form'])
    assert.equal(watch({}, 'toString').length, 1)
  })

  it('shows what the discoverer of a type knows, where that has such a view and is configured', () => {
    const dumping = (config: Readonly<Record<string, unknown>>) => ({ ...atlas(config), dump: () => config })
    const discovery = new Discovery({ atlas, dumping, other: dumping }, { atlas: {}, dumping: { a: 1 } })
    const dumps = ['dumping', 'atlas', 'other', 'toString'].map((type) => discovery.dump(type))
    assert.deepEqual(dumps, [{ a: 1 }, undefined, undefined, undefined])
  })
})
