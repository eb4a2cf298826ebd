import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FoundConsumer } from '../../../src/plugin/api.ts'
import { oncePerConfig } from './prepare.ts'

const view = { name: 'jack', groupId: undefined, labels: undefined, credentialId: undefined }
const found = (config: Record<string, unknown>): FoundConsumer => ({ view, config })

describe('what is derived from the configuration of a consumer', () => {
  it('is derived once for each configuration, also when it is nothing', () => {
    const asked: unknown[] = []
    const derive = oncePerConfig((config: { readonly key: string }) => {
      asked.push(config.key)
      return config.key === '' ? undefined : { key: config.key }
    })
    const [first, second, empty] = [{ key: 'a' }, { key: 'a' }, { key: '' }]
    const derived = derive(found(first))
    assert.deepEqual(derived, { key: 'a' })
    assert.equal(derive(found(first)), derived)
    assert.notEqual(derive(found(second)), derived)
    for (let i = 0; i < 3; i++) assert.equal(derive(found(empty)), undefined)
    assert.deepEqual(asked, ['a', 'a', ''])
  })
})
