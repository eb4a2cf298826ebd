import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import faultInjection from './index.ts'

const abort = (extra: Record<string, unknown> = {}) => ({ abort: { http_status: 418, ...extra } })

describe('fault-injection with abort', () => {
  it('answers in place of the upstream, with body and headers', async () => {
    const config = abort({ body: 'short and stout', headers: { 'X-Fault': 'yes', 'X-N': 7 } })
    const answer = await mountPlugin(faultInjection, config).request()
    assert.deepEqual([answer.status, answer.body, answer.sent], [418, 'short and stout', undefined])
    assert.deepEqual(answer.headers.raw(), ['X-Fault', 'yes', 'X-N', '7'])
  })

  it('leaves the page of the status to the gateway when it has no body', async () => {
    assert.equal((await mountPlugin(faultInjection, abort()).request()).body, 'error page 418')
    assert.equal((await mountPlugin(faultInjection, abort({ body: '' })).request()).body, '')
  })

  it('fills in variables, and lets no value add a line', async () => {
    const config = abort({
      body: 'from $remote_addr: ${arg_q}',
      headers: { 'X-Q': 'q=$arg_q', 'X-None': '$arg_none' },
    })
    const answer = await mountPlugin(faultInjection, config).request({ target: '/?q=a%0d%0aEvil:%201' })
    assert.equal(answer.body, 'from 192.0.2.1: a\r\nEvil: 1')
    assert.deepEqual(answer.headers.raw(), ['X-Q', 'q=a Evil: 1'])
  })

  it('happens when one of the expressions holds', async () => {
    const vars = [
      [['arg_name', '==', 'jack']],
      [
        ['http_age', '>', 18],
        ['arg_x', '==', '1'],
      ],
    ]
    const mounted = mountPlugin(faultInjection, abort({ vars }))
    const status = async (target: string, age = '0') =>
      (await mounted.request({ target, headers: { age } })).status
    assert.equal(await status('/?name=jack'), 418)
    assert.equal(await status('/?x=1', '20'), 418)
    assert.equal(await status('/?x=1', '10'), 200)
    assert.equal(await status('/'), 200)
  })

  it('happens to its percentage of the requests', async () => {
    const aborted = async (percentage: number) => {
      const mounted = mountPlugin(faultInjection, abort({ percentage }))
      let count = 0
      for (let i = 0; i < 400; i++) if ((await mounted.request()).status === 418) count++
      return count
    }
    assert.equal(await aborted(0), 0)
    assert.equal(await aborted(100), 400)
    const some = await aborted(50)
    assert.ok(some > 130 && some < 270, `${some} of 400 at 50 %`)
  })
})

describe('fault-injection with delay', () => {
  it('keeps the request waiting, then lets it go on', async () => {
    const mounted = mountPlugin(faultInjection, { delay: { duration: 0.05 } })
    const startedAt = performance.now()
    assert.equal((await mounted.request()).status, 200)
    assert.ok(performance.now() - startedAt >= 45)
  })

  it('waits before it aborts', async () => {
    const config = { delay: { duration: 0.03 }, ...abort({ body: 'late' }) }
    const startedAt = performance.now()
    const answer = await mountPlugin(faultInjection, config).request()
    assert.ok(performance.now() - startedAt >= 25)
    assert.deepEqual([answer.status, answer.body], [418, 'late'])
  })

  it('has a percentage and expressions of its own', async () => {
    const delay = { duration: 60, vars: [[['arg_slow', '==', '1']]] }
    assert.equal((await mountPlugin(faultInjection, { delay, ...abort() }).request()).status, 418)
    const never = { delay: { duration: 60, percentage: 0 } }
    assert.equal((await mountPlugin(faultInjection, never).request()).status, 200)
  })
})

describe('the configuration of fault-injection', () => {
  it('refuses what cannot be used', () => {
    const refused = (config: Record<string, unknown>) => refusal(faultInjection, config) ?? ''
    assert.equal(refused({}), 'object matches none of the required: ["abort"] or ["delay"]')
    assert.match(refused({ abort: {} }), /property "http_status" is required/)
    assert.match(refused({ abort: { http_status: 100 } }), /expected 100 to be at least 200/)
    assert.match(refused(abort({ percentage: 101 })), /expected 101 to be at most 100/)
    assert.match(refused({ delay: { duration: -1 } }), /expected -1 to be at least 0/)
    assert.match(refused({ delay: {} }), /property "duration" is required/)
    assert.equal(refused(abort({ vars: [[['arg_a', '=', 1]]] })), "invalid operator '='")
    assert.equal(refused(abort({ headers: { 'X-A': 'a\nb' } })), 'invalid value character in header')
    assert.equal(refused(abort({ headers: { 'X A': 'a' } })), 'invalid field character in header')
  })
})
