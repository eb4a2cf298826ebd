import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { eventually } from '../../test/support/watch-recording.ts'
import { fakeUpstream } from '../testing/fake-upstream.ts'
import { createRegistration } from './index.ts'

/** The answer to one call; `undefined` for the good one. */
type Answer = { readonly status: number; readonly body: object } | undefined

const NOT_FOUND = { status: 412, body: { error_code: 'NODE_NOT_FOUND', error_msg: 'register it (again)' } }

/** A registry that says yes to everything, or what `refuse` has it say; the calls that it got are in the list. */
async function fakeRegistry(
  t: Parameters<typeof fakeUpstream>[0],
  {
    refuse = () => undefined,
    delayMs = 0,
  }: { refuse?: (call: string, turn: number) => Answer; delayMs?: number },
) {
  const calls: string[] = []
  const server = await fakeUpstream(t, (request, response) => {
    const call = `${request.method} ${request.url!.replace('/apisix/registry/', '')}`
    calls.push(call)
    const { status, body } = refuse(call, calls.filter((one) => one === call).length) ?? {
      status: 200,
      body: { heartbeat_interval_ms: 50, unknown_agents: [] },
    }
    setTimeout(() => response.writeHead(status).end(JSON.stringify(body)), delayMs)
  })
  return { calls, gateways: [`http://${server.address}`] }
}

const LOST = ['PUT agents/chat/b', 'PUT nodes/n1/heartbeat']
const node = { node_id: 'n1', endpoint: 'http://10.0.0.1:80' }
const AGENTS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((key) => ({ type: 'chat', key }))

describe('a registration of many agents', () => {
  it('keeps its node alive while it takes longer than the time between two heartbeats', async (t) => {
    const { calls, gateways } = await fakeRegistry(t, { delayMs: 20 })
    const registration = createRegistration({ gateways, node, agents: AGENTS })
    await registration.start()
    await registration.stop()
    const beat = calls.indexOf('PUT nodes/n1/heartbeat')
    assert.ok(beat > 0 && beat < calls.indexOf('PUT agents/chat/h'), calls.join('\n'))
  })

  it('begins anew when its node was lost meanwhile', async (t) => {
    const { calls, gateways } = await fakeRegistry(t, {
      refuse: (call, turn) => (LOST.includes(call) && turn === 1 ? NOT_FOUND : undefined),
    })
    const states: string[] = []
    const registration = createRegistration({
      ...{ gateways, node, agents: AGENTS.slice(0, 2) },
      onState: (state) => states.push(state),
    })
    await registration.start()
    await eventually('the registration', () => registration.state === 'registered', 20_000)
    await registration.stop()
    assert.equal(calls.filter((call) => call === 'PUT nodes/n1').length, 2)
    assert.deepEqual(states, ['lost', 'registered', 'stopped'])
  })

  it('leaves nothing behind when it is stopped before it is through', async (t) => {
    const { calls, gateways } = await fakeRegistry(t, { delayMs: 10 })
    const registration = createRegistration({ gateways, node, agents: AGENTS })
    const started = registration.start()
    await eventually('the first call', () => calls.length > 0, 20_000)
    await registration.stop()
    await started
    assert.equal(calls.at(-1), 'DELETE nodes/n1?drain_s=0')
  })
})
