import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type MountedPlugin, mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import apiBreaker from './index.ts'

const BREAK = { break_response_code: 502, break_response_body: 'broken\n' }
const S = 1000

async function upstreamSays(
  mounted: MountedPlugin,
  status: number,
  times = 1,
  target = '/',
): Promise<number> {
  let last = 0
  for (let i = 0; i < times; i++) {
    const answer = await mounted.request({ target, upstream: { status } })
    last = answer.sent ? 0 : answer.status
  }
  return last
}
const isOpen = async (mounted: MountedPlugin, target = '/') =>
  (await mounted.request({ target, upstream: { status: 404 } })).sent === undefined

describe('api-breaker', () => {
  it('opens after so many failures, for two to three seconds at first', async () => {
    const mounted = mountPlugin(apiBreaker, BREAK)
    await upstreamSays(mounted, 500, 2)
    assert.equal(await isOpen(mounted), false)
    await upstreamSays(mounted, 500)
    const answer = await mounted.request()
    assert.equal(answer.sent, undefined)
    assert.equal(answer.status, 502)
    assert.equal(answer.body, 'broken\n')
    mounted.advance(2.9 * S)
    assert.equal(await isOpen(mounted), true)
    mounted.advance(0.1 * S)
    assert.equal(await isOpen(mounted), false)
  })

  it('compares whole seconds', async () => {
    const mounted = mountPlugin(apiBreaker, BREAK)
    mounted.advance(900)
    await upstreamSays(mounted, 500, 3)
    mounted.advance(2 * S)
    assert.equal(await isOpen(mounted), true)
    mounted.advance(100)
    assert.equal(await isOpen(mounted), false)
  })

  it('stays open longer each time it fails again, up to max_breaker_sec', async () => {
    const mounted = mountPlugin(apiBreaker, { ...BREAK, max_breaker_sec: 5 })
    for (const [opening, openS] of [2, 4, 5, 5].entries()) {
      await upstreamSays(mounted, 500, 3)
      mounted.advance(openS * S)
      assert.equal(await isOpen(mounted), true, `opening ${opening + 1}`)
      mounted.advance(1 * S)
      assert.equal(await isOpen(mounted), false, `opening ${opening + 1}`)
    }
  })

  it('counts nothing while it is open', async () => {
    const mounted = mountPlugin(apiBreaker, BREAK)
    await upstreamSays(mounted, 500, 3)
    assert.equal(await upstreamSays(mounted, 500, 20), 502)
    mounted.advance(3 * S)
    await upstreamSays(mounted, 500, 2)
    assert.equal(await isOpen(mounted), false)
  })

  it('forgets all failures after so many successes in a row', async () => {
    const config = { ...BREAK, healthy: { http_statuses: [200, 201], successes: 2 } }
    const mounted = mountPlugin(apiBreaker, config)
    await upstreamSays(mounted, 500, 2)
    await upstreamSays(mounted, 201)
    await upstreamSays(mounted, 200)
    await upstreamSays(mounted, 500, 2)
    assert.equal(await isOpen(mounted), false)
    await upstreamSays(mounted, 500)
    assert.equal(await isOpen(mounted), true)
  })

  it('starts its successes anew with each failure', async () => {
    const mounted = mountPlugin(apiBreaker, { ...BREAK, healthy: { successes: 2 } })
    for (let i = 0; i < 2; i++) {
      await upstreamSays(mounted, 500)
      await upstreamSays(mounted, 200)
    }
    await upstreamSays(mounted, 500)
    assert.equal(await isOpen(mounted), true)
  })

  it('takes only the statuses that are listed, and none that the gateway made', async () => {
    const unhealthy = { http_statuses: [502, 503], failures: 1 }
    const mounted = mountPlugin(apiBreaker, { ...BREAK, unhealthy })
    await upstreamSays(mounted, 500, 5)
    assert.equal(await isOpen(mounted), false)
    assert.equal((await mounted.request({ upstream: 'refused' })).status, 502)
    assert.equal(await isOpen(mounted), false)
    await upstreamSays(mounted, 503)
    assert.equal(await isOpen(mounted), true)
  })

  it('takes a status of neither list for no success', async () => {
    const mounted = mountPlugin(apiBreaker, { ...BREAK, healthy: { successes: 1 } })
    await upstreamSays(mounted, 500, 2)
    await upstreamSays(mounted, 404)
    await upstreamSays(mounted, 500)
    assert.equal(await isOpen(mounted), true)
  })

  it('keeps paths apart', async () => {
    const mounted = mountPlugin(apiBreaker, BREAK)
    await upstreamSays(mounted, 500, 3, '/a')
    assert.equal(await isOpen(mounted, '/a'), true)
    assert.equal(await isOpen(mounted, '/b'), false)
  })

  it('outlives a change of its configuration', async () => {
    const mounted = mountPlugin(apiBreaker, BREAK)
    await upstreamSays(mounted, 500, 3)
    const changed = mountPlugin(apiBreaker, { break_response_code: 503 }, { beside: mounted })
    const answer = await changed.request()
    assert.equal(answer.sent, undefined)
    assert.equal(answer.status, 503)
    assert.equal(answer.body, 'error page 503')
  })

  it('sends its headers with a body, variables filled in, and not without one', async () => {
    const headers = [{ key: 'X-From', value: '$remote_addr' }]
    const unhealthy = { failures: 1 }
    const config = { ...BREAK, break_response_headers: headers, unhealthy }
    const mounted = mountPlugin(apiBreaker, config)
    await upstreamSays(mounted, 500)
    assert.equal((await mounted.request({ remoteAddr: '203.0.113.7' })).headers.get('x-from'), '203.0.113.7')
    const bare = mountPlugin(apiBreaker, {
      break_response_code: 502,
      break_response_headers: headers,
      unhealthy,
    })
    await upstreamSays(bare, 500)
    const answer = await bare.request()
    assert.equal(answer.status, 502)
    assert.equal(answer.headers.has('x-from'), false)
  })

  it('refuses what no contract allows', () => {
    assert.equal(refusal(apiBreaker, {}), 'property "break_response_code" is required')
    for (const bad of [
      { max_breaker_sec: 2 },
      { unhealthy: { http_statuses: [499] } },
      { healthy: { http_statuses: [500] } },
      { unhealthy: { failures: 0 } },
      { break_response_code: 600 },
      { break_response_headers: [{ key: 'a b', value: 'c' }] },
    ]) {
      assert.ok(refusal(apiBreaker, { ...BREAK, ...bad }), JSON.stringify(bad))
    }
  })
})
