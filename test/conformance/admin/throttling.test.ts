import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ADMIN_KEY, type Admin, startAdmin } from './start-admin.ts'

const WRONG = { 'x-api-key': 'wrong' }
const FREE_ATTEMPTS = 20

async function start(): Promise<{ admin: Admin; time: { now: number } }> {
  const time = { now: 1_000_000 }
  const admin = await startAdmin({ allowAdmin: undefined, clock: { now: () => time.now } })
  return { admin, time }
}

async function guess(admin: Admin, times: number, remoteAddress = '10.0.0.1'): Promise<number[]> {
  const statuses: number[] = []
  for (let count = 0; count < times; count++) {
    statuses.push((await admin.send('GET', '/routes', { headers: WRONG, remoteAddress })).status)
  }
  return statuses
}

describe('wrong keys', () => {
  it('are told to wait from the 21st of one address in a minute on', async () => {
    const { admin, time } = await start()
    assert.deepEqual(new Set(await guess(admin, FREE_ATTEMPTS)), new Set([401]))
    time.now += 15_000
    const shown = await admin.send('GET', '/routes', { headers: WRONG, remoteAddress: '10.0.0.1' })
    assert.deepEqual(
      [shown.status, shown.headers['retry-after'], shown.body],
      [
        429,
        '45',
        {
          error_msg: 'failed to check token',
          description: 'too many wrong keys from this address; try again in 45 s',
        },
      ],
    )
  })

  it('are answered with 401 again in the next minute', async () => {
    const { admin, time } = await start()
    await guess(admin, FREE_ATTEMPTS + 1)
    time.now += 60_000
    assert.deepEqual(await guess(admin, 1), [401])
  })

  it('are counted for writes and reads alike', async () => {
    const { admin } = await start()
    await guess(admin, FREE_ATTEMPTS)
    const shown = await admin.send('PUT', '/routes/1', {
      body: { uri: '/a', plugins: {} },
      headers: WRONG,
      remoteAddress: '10.0.0.1',
    })
    assert.equal(shown.status, 429)
    assert.deepEqual(await admin.content(), [])
  })

  it('keep out nobody who has a right one', async () => {
    const { admin } = await start()
    await guess(admin, FREE_ATTEMPTS + 5)
    const headers = { 'x-api-key': ADMIN_KEY }
    assert.equal((await admin.send('GET', '/routes', { headers, remoteAddress: '10.0.0.1' })).status, 200)
  })

  const addresses: readonly [rule: string, one: string, other: string, isSame: boolean][] = [
    ['of another IPv4 address', '10.0.0.1', '10.0.0.2', false],
    ['of the same address in its IPv6 form', '10.0.0.1', '::ffff:10.0.0.1', true],
    ['of another IPv4 address in its IPv6 form', '::ffff:10.0.0.1', '::ffff:10.0.0.2', false],
    ['of the same /64', '2001:db8::1', '2001:db8::ffff:1', true],
    ['of another /64', '2001:db8::1', '2001:db8:0:1::1', false],
  ]
  for (const [rule, one, other, isSame] of addresses) {
    it(`${rule} are counted ${isSame ? 'together' : 'apart'}`, async () => {
      const { admin } = await start()
      await guess(admin, FREE_ATTEMPTS, one)
      assert.deepEqual(await guess(admin, 1, other), [isSame ? 429 : 401])
    })
  }

  it('that are no keys at all are not counted', async () => {
    const { admin } = await start()
    for (let count = 0; count < FREE_ATTEMPTS + 5; count++) {
      await admin.send('GET', '/routes', { headers: { 'x-api-key': undefined }, remoteAddress: '10.0.0.1' })
    }
    assert.deepEqual(await guess(admin, 1), [401])
  })
})
