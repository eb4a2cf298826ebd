import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import type { RequestInit } from '../../src/testing/plugin-request.ts'
import consumerRestriction from './index.ts'

/** The statuses that requests of these consumers get, one after the other. */
async function statuses(config: Record<string, unknown>, requests: readonly RequestInit[]) {
  const mounted = mountPlugin(consumerRestriction, config)
  const found: number[] = []
  for (const request of requests) found.push((await mounted.request(request)).status)
  return found
}

const as = (name: string, method = 'GET'): RequestInit => ({ consumer: { name }, method })

describe('consumer-restriction', () => {
  it('lets in those of the whitelist alone', async () => {
    const given = [as('jack'), as('ann'), as('Jack'), as('jac')]
    assert.deepEqual(await statuses({ whitelist: ['jack'] }, given), [200, 403, 403, 403])
  })

  it('refuses those of the blacklist alone', async () => {
    assert.deepEqual(await statuses({ blacklist: ['jack'] }, [as('jack'), as('ann')]), [403, 200])
  })

  it('refuses whoever stands in both lists', async () => {
    const config = { blacklist: ['jack'], whitelist: ['jack', 'ann'] }
    assert.deepEqual(await statuses(config, [as('jack'), as('ann'), as('bob')]), [403, 200, 403])
  })

  it('says whom it refuses, or what it was told to say', async () => {
    const answer = await mountPlugin(consumerRestriction, { blacklist: ['jack'] }).request(as('jack'))
    assert.equal(answer.body, '{"message":"The consumer_name is forbidden."}\n')
    const config = { blacklist: ['jack'], rejected_code: 404, rejected_msg: 'not for you' }
    const told = await mountPlugin(consumerRestriction, config).request(as('jack'))
    assert.equal(told.status, 404)
    assert.equal(told.body, '{"message":"not for you"}\n')
  })

  it('refuses a request that has no consumer, whatever the lists say', async () => {
    for (const config of [
      { blacklist: ['jack'] },
      { whitelist: ['jack'], rejected_code: 404, rejected_msg: 'no' },
      { allowed_by_methods: [{ user: 'jack', methods: ['GET'] }] },
    ]) {
      const answer = await mountPlugin(consumerRestriction, config).request()
      assert.equal(answer.status, 401)
      assert.equal(
        answer.body,
        '{"message":"The request is rejected, please check the consumer_name for this request"}\n',
      )
    }
  })

  it('binds to methods only the users it names', async () => {
    const config = { allowed_by_methods: [{ user: 'jack', methods: ['GET', 'HEAD'] }] }
    const given = [as('jack'), as('jack', 'HEAD'), as('jack', 'POST'), as('ann', 'POST')]
    assert.deepEqual(await statuses(config, given), [200, 200, 403, 200])
  })

  it('takes the first entry of a user', async () => {
    const entries = [
      { user: 'jack', methods: ['GET'] },
      { user: 'jack', methods: ['POST'] },
    ]
    const given = [as('jack'), as('jack', 'POST')]
    assert.deepEqual(await statuses({ allowed_by_methods: entries }, given), [200, 403])
  })

  it('does not bind to methods whoever is on the whitelist, and lets nobody in by methods alone', async () => {
    const config = {
      whitelist: ['jack'],
      allowed_by_methods: [
        { user: 'jack', methods: ['GET'] },
        { user: 'ann', methods: ['GET'] },
      ],
    }
    assert.deepEqual(await statuses(config, [as('jack', 'POST'), as('ann')]), [200, 403])
  })

  it('lets no header of the client decide who it is', async () => {
    const mounted = mountPlugin(consumerRestriction, { whitelist: ['jack'] })
    for (const value of ['jack', ['jack', 'ann'], ['ann', 'jack']]) {
      const headers = { 'X-Consumer-Username': value }
      assert.equal((await mounted.request({ headers })).status, 401)
      assert.equal((await mounted.request({ headers, consumer: { name: 'ann' } })).status, 403)
    }
  })

  for (const { type, allowed, refused, unknown } of [
    {
      type: 'consumer_group_id',
      allowed: { consumer: { groupId: 'x' } },
      refused: { consumer: { groupId: 'y' } },
      unknown: { consumer: { name: 'x' } },
    },
    {
      type: 'service_id',
      allowed: { route: { serviceId: 'x' } },
      refused: { route: { serviceId: 'y' } },
      unknown: { route: { id: 'x', serviceId: undefined } },
    },
    {
      type: 'route_id',
      allowed: { route: { id: 'x' } },
      refused: { route: { id: 'y' } },
      unknown: { route: undefined },
    },
  ]) {
    it(`restricts by ${type}`, async () => {
      const mounted = mountPlugin(consumerRestriction, { type, whitelist: ['x'] })
      assert.equal((await mounted.request(allowed)).status, 200)
      const forbidden = await mounted.request(refused)
      assert.equal(forbidden.body, `{"message":"The ${type} is forbidden."}\n`)
      const absent = await mounted.request(unknown)
      assert.equal(absent.status, 401)
      assert.match(absent.body, new RegExp(`please check the ${type} for this request`))
    })
  }

  it('checks its configuration', () => {
    const said = (config: object) => refusal(consumerRestriction, config)
    assert.equal(said({ whitelist: ['a'], blacklist: ['b'] }), undefined)
    assert.equal(
      said({}),
      'object matches none of the required: ["blacklist"] or ["whitelist"] or ["allowed_by_methods"]',
    )
    assert.match(said({ whitelist: [] }) ?? '', /^property "whitelist" validation failed: expect array/)
    assert.match(said({ whitelist: ['a'], type: 'ip' }) ?? '', /matches none of the enum values/)
    assert.match(said({ whitelist: ['a'], rejected_code: 199 }) ?? '', /expected 199 to be at least 200/)
    const methods = (list: string[]) => ({ allowed_by_methods: [{ user: 'a', methods: list }] })
    assert.equal(said(methods(['PURGE'])), undefined)
    assert.match(said(methods(['get'])) ?? '', /matches none of the enum values/)
  })
})
