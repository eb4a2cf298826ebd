import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeClock } from '../../test/support/fake-clock.ts'
import { createLogger } from '../observe/logger.ts'
import { createMetricRegistry } from '../observe/metric-registry.ts'
import { SecretCache } from './secret-cache.ts'

/** A cache of an environment with one variable, and the lines that it logs. */
function cacheWithLog(): { readonly cache: SecretCache; readonly log: readonly string[] } {
  const log: string[] = []
  const cache = new SecretCache({
    env: { SET: 'the-planted-value' },
    fetch: () => Promise.reject(new Error('nobody is called')),
    clock: fakeClock(),
    logger: createLogger('debug', { write: (line: string) => void log.push(line) }),
    metrics: createMetricRegistry(),
    ttlMs: 300_000,
    negativeTtlMs: 60_000,
    count: 4,
    negativeCount: 4,
    onChange: () => undefined,
  })
  return { cache, log }
}

describe('the log of secrets', () => {
  it('names a variable of the environment that is not set when the first document refers to it, and not again', () => {
    const { cache, log } = cacheWithLog()
    cache.retain(['$env://NONE', '$env://SET'])
    cache.retain(['$env://NONE'])
    cache.release(['$env://NONE'])
    assert.equal(log.length, 1)
    const line = JSON.parse(log[0]!) as Record<string, unknown>
    assert.equal(line['level'], 40)
    assert.equal(line['reference'], '$env://NONE')
    assert.equal(line['reason'], 'the environment variable NONE is not set')
  })

  it('names it again once nothing has referred to it', () => {
    const { cache, log } = cacheWithLog()
    cache.retain(['$env://NONE'])
    cache.release(['$env://NONE'])
    cache.retain(['$env://NONE'])
    assert.equal(log.length, 2)
  })

  it('names a reference that cannot be read', () => {
    const { cache, log } = cacheWithLog()
    cache.retain(['$secret://vault'])
    assert.match(log.join(''), /"reference":"\$secret:\/\/vault"/)
  })
})
