import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import proxyCache from './index.ts'

const ATTR = {
  zones: [
    { name: 'disk_cache_one', memory_bytes: 1000, disk_bytes: 1000, folder: '/nowhere', levels: [1, 2] },
    { name: 'memory_cache', memory_bytes: 1000 },
  ],
}

describe('the configuration of proxy-cache', () => {
  const refused: [config: Record<string, unknown>, message: RegExp][] = [
    [{ cache_zone: 'x' }, /: cache_zone x not found$/],
    [{ cache_strategy: 'memory' }, /: invalid or empty cache_zone for cache_strategy: memory$/],
    [{ cache_zone: 'memory_cache' }, /: invalid or empty cache_zone for cache_strategy: disk$/],
  ]
  for (const [config, message] of refused) {
    it(`refuses ${JSON.stringify(config)}`, () => {
      assert.throws(() => mountPlugin(proxyCache, config, { attr: ATTR }), { message })
    })
  }

  it('refuses values that mean nothing', () => {
    const bad: [config: Record<string, unknown>, property: string][] = [
      [{ cache_strategy: 'tape' }, 'cache_strategy'],
      [{ cache_key: [] }, 'cache_key'],
      [{ cache_key: ['${host}'] }, 'cache_key'],
      [{ cache_method: ['PUT'] }, 'cache_method'],
      [{ cache_http_status: [100] }, 'cache_http_status'],
      [{ cache_ttl: 0 }, 'cache_ttl'],
      [{ max_resp_body_size: 0 }, 'max_resp_body_size'],
    ]
    for (const [config, property] of bad) {
      assert.match(refusal(proxyCache, config) ?? '', new RegExp(`^property "${property}" validation failed`))
    }
  })

  it('refuses the method of PURGE in a key', () => {
    const message = 'cache_key variable $request_method unsupported'
    assert.equal(refusal(proxyCache, { cache_key: ['$request_method'] }), message)
  })
})
