import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import type { Answer, RequestInit } from '../../src/testing/plugin-request.ts'
import limitCount from './index.ts'

const quota = ({ headers }: Answer, prefix = '') =>
  ['Limit', 'Remaining', 'Reset'].map((part) => headers.get(`x-${prefix}ratelimit-${part}`.toLowerCase()))
const from = (remoteAddr: string, rest: RequestInit = {}): RequestInit => ({ remoteAddr, ...rest })

describe('limit-count with a fixed window', () => {
  it('shows limit, remaining and reset, and refuses what exceeds the count', async () => {
    const mounted = mountPlugin(limitCount, { count: 1, time_window: 60 })
    const first = await mounted.request()
    assert.equal(first.status, 200)
    assert.deepEqual(quota(first), ['1', '0', '60'])
    mounted.advance(4)
    const second = await mounted.request()
    assert.equal(second.status, 503)
    assert.deepEqual(quota(second), ['1', '0', '59.99'])
    assert.equal(second.sent, undefined)
  })

  it('opens a new window when the time is over, not before', async () => {
    const mounted = mountPlugin(limitCount, { count: 2, time_window: 10 })
    await mounted.request()
    mounted.advance(9999)
    assert.deepEqual(quota(await mounted.request()), ['2', '0', '0'])
    assert.equal((await mounted.request()).status, 503)
    mounted.advance(1)
    assert.deepEqual(quota(await mounted.request()), ['2', '1', '10'])
  })

  it('cuts the seconds to two decimals and writes no needless zero', async () => {
    const mounted = mountPlugin(limitCount, { count: 9, time_window: 2 })
    const resets: unknown[] = []
    for (const ms of [0, 1, 99, 400, 499.5]) {
      mounted.advance(ms)
      resets.push(quota(await mounted.request())[2])
    }
    assert.deepEqual(resets, ['2', '1.99', '1.9', '1.5', '1'])
  })

  it('answers with rejected_code and rejected_msg', async () => {
    const config = { count: 1, time_window: 60, rejected_code: 429, rejected_msg: 'slow' }
    const mounted = mountPlugin(limitCount, config)
    await mounted.request()
    const answer = await mounted.request()
    assert.equal(answer.status, 429)
    assert.equal(answer.body, '{"error_msg":"slow"}\n')
    assert.equal(answer.headers.has('retry-after'), false)
  })

  it('sends no quota headers, either way, when told not to', async () => {
    const mounted = mountPlugin(limitCount, { count: 1, time_window: 60, show_limit_quota_header: false })
    for (const status of [200, 503]) {
      const answer = await mounted.request()
      assert.equal(answer.status, status)
      assert.deepEqual(quota(answer), [undefined, undefined, undefined])
    }
  })

  it("replaces the upstream's own quota headers", async () => {
    const mounted = mountPlugin(limitCount, { count: 1, time_window: 60 })
    const answer = await mounted.request({ upstream: { headers: { 'x-ratelimit-limit': '1000' } } })
    assert.deepEqual(answer.headers.all('x-ratelimit-limit'), ['1'])
  })

  it('takes header names from the metadata, also when they change later', async () => {
    const mounted = mountPlugin(
      limitCount,
      { count: 5, time_window: 60 },
      { metadata: { limit_header: 'X-Max' } },
    )
    const first = await mounted.request()
    assert.equal(first.headers.get('x-max'), '5')
    assert.equal(first.headers.get('x-ratelimit-remaining'), '4')
    mounted.setMetadata({ limit_header: 'X-Most' })
    assert.equal((await mounted.request()).headers.get('x-most'), '5')
  })

  it('keeps the counts of two configurations apart', async () => {
    const mounted = mountPlugin(limitCount, { count: 5, time_window: 60 })
    await mounted.request()
    const route = { id: 'r2' }
    const other = mountPlugin(limitCount, { count: 5, time_window: 60 }, { beside: mounted, route })
    assert.deepEqual(quota(await other.request()), ['5', '4', '60'])
  })
})

describe('what limit-count counts by', () => {
  it('is the client address by default', async () => {
    const mounted = mountPlugin(limitCount, { count: 1, time_window: 60 })
    assert.equal((await mounted.request(from('198.51.100.1'))).status, 200)
    assert.equal((await mounted.request(from('198.51.100.2'))).status, 200)
    assert.equal((await mounted.request(from('198.51.100.1'))).status, 503)
  })

  it('is any variable, the client address standing in for an empty one', async () => {
    const mounted = mountPlugin(limitCount, { count: 1, time_window: 60, key: 'http_x_user' })
    const as = (user: string) => ({ headers: { 'X-User': user } })
    assert.equal((await mounted.request(as('ann'))).status, 200)
    assert.equal((await mounted.request(as('bob'))).status, 200)
    assert.equal((await mounted.request(as('ann'))).status, 503)
    assert.equal((await mounted.request(from('198.51.100.1'))).status, 200)
    assert.equal((await mounted.request(from('198.51.100.1', as('')))).status, 503)
  })

  it('is a combination of variables, the client address when none has a value', async () => {
    const config = { count: 1, time_window: 60, key_type: 'var_combination', key: '$http_a $http_b' }
    const mounted = mountPlugin(limitCount, config)
    assert.equal((await mounted.request({ headers: { A: '1' } })).status, 200)
    assert.equal((await mounted.request({ headers: { A: '1', B: '2' } })).status, 200)
    assert.equal((await mounted.request({ headers: { A: '1' } })).status, 503)
    assert.equal((await mounted.request(from('198.51.100.1'))).status, 200)
    assert.equal((await mounted.request(from('198.51.100.2'))).status, 200)
    assert.equal((await mounted.request(from('198.51.100.1'))).status, 503)
  })

  it('is the same for all with a constant', async () => {
    const config = { count: 1, time_window: 60, key_type: 'constant', key: 'remote_addr' }
    const mounted = mountPlugin(limitCount, config)
    assert.equal((await mounted.request(from('198.51.100.1'))).status, 200)
    assert.equal((await mounted.request(from('198.51.100.2'))).status, 503)
  })
})

describe('limit-count with templates', () => {
  it('takes count and window from the request', async () => {
    const config = { count: '${http_x_count ?? 3}', time_window: '$http_x_window' }
    const mounted = mountPlugin(limitCount, config)
    const headers = { 'X-Window': '30' }
    assert.deepEqual(quota(await mounted.request({ headers })), ['3', '2', '30'])
    assert.deepEqual(quota(await mounted.request({ headers: { ...headers, 'X-Count': '2' } })), [
      '2',
      '0',
      '30',
    ])
    assert.equal((await mounted.request({ headers: { ...headers, 'X-Count': '2' } })).status, 503)
  })

  it('fails with 500 when a template comes to no positive number, unless degradation is allowed', async () => {
    for (const value of ['', 'many', '-1', '0']) {
      const config = { count: '$http_x_count', time_window: 60 }
      const strict = await mountPlugin(limitCount, config).request({ headers: { 'X-Count': value } })
      assert.equal(strict.status, 500)
      assert.equal(strict.body, '{"error_msg":"failed to limit count"}\n')
      const lenient = mountPlugin(limitCount, { ...config, allow_degradation: true })
      assert.equal((await lenient.request({ headers: { 'X-Count': value } })).status, 200)
    }
  })
})

describe('limit-count with a sliding window', () => {
  it('weighs the previous window in, as the example of the contract', async () => {
    const config = { count: 2, time_window: 2, window_type: 'sliding', rejected_code: 429 }
    const mounted = mountPlugin(limitCount, config)
    mounted.advance(1485)
    const seen: unknown[] = []
    for (let i = 0; i < 4; i++) {
      const answer = await mounted.request()
      seen.push([answer.status, ...quota(answer).slice(1)])
      mounted.advance(302)
    }
    assert.deepEqual(seen, [
      [200, '1', '0.51'],
      [200, '0', '0.21'],
      [200, '-1', '1.91'],
      [429, '0', '0.6'],
    ])
  })

  it('lets a slot free when the refusal said so', async () => {
    const config = { count: 2, time_window: 2, window_type: 'sliding' }
    const mounted = mountPlugin(limitCount, config)
    await mounted.request()
    await mounted.request()
    mounted.advance(2000)
    const refused = await mounted.request()
    assert.deepEqual([refused.status, quota(refused)[2]], [503, '0'])
    mounted.advance(1)
    assert.equal((await mounted.request()).status, 200)
    const again = await mounted.request()
    assert.equal(again.status, 503)
    mounted.advance(Number(quota(again)[2]) * 1000 + 10)
    assert.equal((await mounted.request()).status, 200)
  })

  it('forgets a window that is two windows old', async () => {
    const mounted = mountPlugin(limitCount, { count: 2, time_window: 2, window_type: 'sliding' })
    await mounted.request()
    await mounted.request()
    mounted.advance(4000)
    assert.deepEqual(quota(await mounted.request()), ['2', '1', '2'])
  })
})

describe('limit-count with rules', () => {
  const rules = [
    { count: 1, time_window: 60, key: '${http_a}' },
    { count: 3, time_window: 60, key: '${http_b}', header_prefix: 'bee' },
  ]

  it('shows the headers of every rule, and of a refusal those up to the refusing rule', async () => {
    const mounted = mountPlugin(limitCount, { rules, rejected_code: 429 })
    const headers = { A: '1', B: '2' }
    const first = await mounted.request({ headers })
    assert.deepEqual(quota(first, '1-'), ['1', '0', '60'])
    assert.deepEqual(quota(first, 'bee-'), ['3', '2', '60'])
    assert.ok(first.headers.raw().includes('X-bee-RateLimit-Limit'))
    const second = await mounted.request({ headers })
    assert.equal(second.status, 429)
    assert.deepEqual(quota(second, '1-'), ['1', '0', '60'])
    assert.deepEqual(quota(second, 'bee-'), [undefined, undefined, undefined])
  })

  it('skips a rule whose key is empty', async () => {
    const mounted = mountPlugin(limitCount, { rules })
    const answer = await mounted.request({ headers: { B: '2' } })
    assert.equal(answer.status, 200)
    assert.deepEqual(quota(answer, '1-'), [undefined, undefined, undefined])
    assert.deepEqual(quota(answer, 'bee-'), ['3', '2', '60'])
  })

  it('fails with a bare 500 when no rule is about the request', async () => {
    const answer = await mountPlugin(limitCount, { rules }).request()
    assert.equal(answer.status, 500)
    assert.equal(answer.body, 'error page 500')
  })
})

describe('limit-count with a group', () => {
  const config = { count: 2, time_window: 60, group: 'g' }

  it('counts together what different resources of one gateway let through', async () => {
    const one = mountPlugin(limitCount, config)
    const other = mountPlugin(limitCount, config, { beside: one })
    assert.deepEqual(quota(await one.request()), ['2', '1', '60'])
    assert.deepEqual(quota(await other.request()), ['2', '0', '60'])
    assert.equal((await one.request()).status, 503)
    const elsewhere = mountPlugin(limitCount, config)
    assert.deepEqual(quota(await elsewhere.request()), ['2', '1', '60'])
  })

  it('refuses another configuration while members live, and starts anew after the last', async () => {
    const one = mountPlugin(limitCount, config)
    await one.request()
    const changed = { ...config, count: 3 }
    assert.throws(() => mountPlugin(limitCount, changed, { beside: one }), /group conf mismatched/)
    await one.dispose()
    const next = mountPlugin(limitCount, changed, { beside: one })
    assert.deepEqual(quota(await next.request()), ['3', '2', '60'])
  })
})

describe('the configuration of limit-count', () => {
  const refused = (config: Record<string, unknown>) => refusal(limitCount, config)
  const window = { count: 1, time_window: 60 }

  it('needs count and time_window, or rules, and not both', () => {
    assert.equal(refused(window), undefined)
    assert.equal(
      refused({ count: 1 }),
      'object matches none of the required: ["count","time_window"] or ["rules"]',
    )
    const rules = [{ ...window, key: '$http_a' }]
    assert.equal(
      refused({ ...window, rules }),
      'count/time_window and rules cannot be specified at the same time',
    )
    assert.equal(refused({ rules, group: 'g' }), 'group and rules cannot be specified at the same time')
    assert.equal(refused({ rules: [...rules, ...rules] }), "duplicate key '$http_a' in rules")
  })

  it('needs positive numbers or templates', () => {
    for (const count of [0, -1, 1.5, true])
      assert.match(refused({ ...window, count }) ?? '', /^property "count"/)
    assert.match(refused({ ...window, count: 'ten' }) ?? '', /^count "ten" is not a positive number/)
    assert.match(refused({ ...window, time_window: '0' }) ?? '', /^time_window "0" is not a positive number/)
    assert.equal(refused({ count: '10', time_window: '$http_w' }), undefined)
  })

  it('needs what the policy needs', () => {
    for (const [policy, message] of [
      ['redis', 'then clause did not match'],
      ['redis-cluster', 'else clause did not match'],
      ['redis-sentinel', 'else clause did not match'],
      ['memcached', 'property "policy" validation failed: matches none of the enum values'],
    ] as const) {
      assert.equal(refused({ ...window, policy }), message)
    }
    assert.equal(refused({ ...window, policy: 'redis', redis_host: '127.0.0.1' }), undefined)
    const cluster = { policy: 'redis-cluster', redis_cluster_name: 'c' }
    assert.equal(
      refused({ ...window, ...cluster, redis_cluster_nodes: ['127.0.0.1:7000', '[::1]:7001'] }),
      undefined,
    )
    for (const node of ['127.0.0.1', 'a:0', 'a:70000', ':1']) {
      assert.match(
        refused({ ...window, ...cluster, redis_cluster_nodes: [node] }) ?? '',
        /is no address; write "host:port"/,
      )
    }
  })

  it('refuses a header prefix that no header could have', () => {
    const rules = [{ ...window, key: '$http_a', header_prefix: 'a b' }]
    assert.match(refused({ rules }) ?? '', /failed to match pattern/)
  })

  it('bounds sync_interval', () => {
    assert.equal(refused({ ...window, sync_interval: 0.05 }), 'sync_interval should not be smaller than 0.1')
    assert.equal(
      refused({ ...window, sync_interval: 60 }),
      'sync_interval should be smaller than time_window',
    )
    assert.equal(refused({ ...window, sync_interval: 1 }), undefined)
  })
})
