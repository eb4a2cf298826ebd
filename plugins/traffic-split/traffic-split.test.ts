import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { type MountedPlugin, mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import type { RequestInit } from '../../src/testing/plugin-request.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../../test/support/certificates.ts'
import trafficSplit from './index.ts'

const mount = (rules: unknown): MountedPlugin =>
  mountPlugin(trafficSplit, { rules }, { upstreams: ['1', '2'] })

/** Where requests go; `own` is the upstream of the route. */
async function chosen(mounted: MountedPlugin, count: number, request: RequestInit = {}): Promise<string> {
  const names: string[] = []
  for (let i = 0; i < count; i++) {
    const { context } = await mounted.request(request)
    names.push(context.chosenUpstream?.name.replace('upstreams/', '') ?? 'own')
  }
  return names.join(' ')
}

const byId = (id: string | number, weight?: number) => ({
  upstream_id: id,
  ...(weight !== undefined && { weight }),
})

describe('traffic-split', () => {
  it('spreads requests by weight, evenly, and to the upstream of the route too', async () => {
    const two = mount([{ weighted_upstreams: [byId('2', 2), byId('1', 1)] }])
    assert.equal(await chosen(two, 6), '2 1 2 2 1 2')
    const own = mount([{ weighted_upstreams: [byId(1, 3), { weight: 1 }] }])
    assert.equal((await chosen(own, 400)).match(/own/g)?.length, 100)
  })

  it('gives nothing to a weight of 0, and all to the route when there is no other', async () => {
    const some = mount([{ weighted_upstreams: [byId('1', 0), byId('2')] }])
    assert.equal(await chosen(some, 3), '2 2 2')
    const none = mount([{ weighted_upstreams: [byId('1', 0)] }])
    assert.equal(await chosen(none, 2), 'own own')
  })

  it('goes by the first rule of which one condition holds', async () => {
    const beta = { vars: [['arg_v', '==', 'beta']] }
    const staff = {
      vars: [
        ['http_x_staff', '==', '1'],
        ['arg_v', '==', 'next'],
      ],
    }
    const mounted = mount([
      { match: [beta, staff], weighted_upstreams: [byId('1')] },
      { match: [{ vars: [['arg_v', '==', 'next']] }], weighted_upstreams: [byId('2')] },
    ])
    assert.equal(await chosen(mounted, 1, { target: '/?v=beta' }), '1')
    assert.equal(await chosen(mounted, 1, { target: '/?v=next', headers: { 'X-Staff': '1' } }), '1')
    assert.equal(await chosen(mounted, 1, { target: '/?v=next' }), '2')
    assert.equal(await chosen(mounted, 1), 'own')
  })

  it('takes a match without vars for one that always holds', async () => {
    assert.equal(await chosen(mount([{ match: [{}], weighted_upstreams: [byId('1')] }]), 1), '1')
  })

  it('does nothing without rules, and sends to the route without upstreams', async () => {
    assert.equal(await chosen(mountPlugin(trafficSplit, {}), 1), 'own')
    assert.equal(await chosen(mount([{}]), 1), 'own')
  })

  it('answers 503 for the share of an upstream that is not there, and counts it', async () => {
    const mounted = mount([{ weighted_upstreams: [byId('gone'), byId('1')] }])
    const statuses: number[] = []
    for (let i = 0; i < 4; i++) statuses.push((await mounted.request()).status)
    assert.deepEqual(statuses, [503, 200, 503, 200])
    assert.match(mounted.metrics.expose(), /traffic_split_missing_total\{upstream_id="gone"\} 2/)
  })

  it('refuses what it cannot use', () => {
    const bad = { rules: [{ match: [{ vars: [['a', 'no such operator', 1]] }] }] }
    assert.match(refusal(trafficSplit, bad) ?? '', /^failed to validate the 'vars' expression: /)
    const many = { rules: [{ weighted_upstreams: Array.from({ length: 21 }, () => ({})) }] }
    assert.match(refusal(trafficSplit, many) ?? '', /expect array to have at most 20 items/)
    const weight = { rules: [{ weighted_upstreams: [{ weight: -1 }] }] }
    assert.match(refusal(trafficSplit, weight) ?? '', /expected -1 to be at least 0/)
  })

  it('refuses an upstream of its own that it cannot use, as the one of a route', () => {
    const upstreams: readonly [upstream: object, problem: string][] = [
      [
        { nodes: { '127.0.0.1:80': -1 } },
        'property "nodes" validation failed: object matches none of the required',
      ],
      [{ nodes: { '127.0.0.1:99999': 1 } }, 'invalid port 99999'],
      [{ type: 'chash', nodes: { '127.0.0.1:80': 1 } }, 'missing key'],
      [{ type: 'fastest', nodes: { '127.0.0.1:80': 1 } }, 'unknown balancer type "fastest"'],
    ]
    for (const [upstream, problem] of upstreams) {
      const rules = [{}, { weighted_upstreams: [{}, { upstream }] }]
      const path =
        'property "rules" validation failed: failed to validate item 2: property "weighted_upstreams" validation failed: ' +
        'failed to validate item 2: property "upstream" validation failed: '
      const said = refusal(trafficSplit, { rules }) ?? ''
      assert.ok(said.startsWith(path + problem), said)
    }
  })

  it('has the admin API answer 400 for such an upstream', async (t) => {
    const gateway = await startGateway(t)
    const split = { rules: [{ weighted_upstreams: [{ upstream: { type: 'chash', nodes: { 'a:80': 1 } } }] }] }
    const { status, body } = await gateway.admin('PUT', 'routes/1', {
      uri: '/*',
      plugins: { 'traffic-split': split },
    })
    assert.equal(status, 400)
    assert.match(
      String(body['error_msg']),
      /^failed to check the configuration of plugin traffic-split err: property "rules" .*"upstream" validation failed: missing key$/,
    )
  })

  it('has the key of an upstream of its own masked wherever the route is shown', async (t) => {
    const gateway = await startGateway(t)
    const { cert, key } = makeCertificate({ names: ['gateway.test'] })
    const upstream = {
      type: 'roundrobin',
      scheme: 'https',
      nodes: { '127.0.0.1:1': 1 },
      tls: { client_cert: cert, client_key: key },
    }
    const split = { rules: [{ weighted_upstreams: [{ upstream }] }] }
    await gateway.put('routes', '1', { uri: '/*', plugins: { 'traffic-split': split } })
    const shown = await fetch(`http://127.0.0.1:${gateway.addresses.control!.port}/v1/route/1`)
    const text = await shown.text()
    assert.ok(!text.includes('PRIVATE KEY'), text)
    assert.match(text, /"client_key":"\*\*\*"/)
  })

  it('reaches configured upstreams and its own, as they come and go', async (t) => {
    const [route, configured, own] = await Promise.all(
      ['route', 'configured', 'own'].map((name) => fakeUpstream(t, (_, response) => response.end(name))),
    )
    const nodes = (upstream: typeof route) =>
      ({ type: 'roundrobin', nodes: { [upstream!.address]: 1 } }) as const
    const gateway = await startGateway(t)
    await gateway.put('upstreams', 'c', nodes(configured))
    const shares = [{ upstream_id: 'c' }, { upstream: nodes(own) }, {}]
    await gateway.put('routes', '1', {
      uri: '/*',
      plugins: { 'traffic-split': { rules: [{ weighted_upstreams: shares }] } },
      upstream: nodes(route),
    })
    const ask = async () => (await fetch(gateway.proxyUrl)).text()
    assert.deepEqual(
      new Set([await ask(), await ask(), await ask()]),
      new Set(['route', 'configured', 'own']),
    )
    const refused = await gateway.admin('DELETE', 'upstreams/c')
    assert.match(String(refused.body['error_msg']), /plugin in route \[1\] is still using it now/)
    await gateway.admin('DELETE', 'upstreams/c?force=true')
    const statuses: number[] = []
    for (let i = 0; i < 6; i++) statuses.push((await fetch(gateway.proxyUrl)).status)
    assert.deepEqual(statuses.filter((status) => status === 503).length, 2)
    assert.ok(gateway.logs.some(({ upstream_id }) => upstream_id === 'c'))
  })
})
