import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { describeServerless } from '../_shared/serverless/serverless-contract.ts'
import preFunction from './index.ts'

describeServerless(preFunction)

describe('serverless-pre-function', () => {
  it('runs before the other plugins of its phase, and serverless-post-function after them', async (t) => {
    const node = await fakeUpstream(t)
    const append = (name: string) =>
      `(conf, ctx) => { ctx.headers.set("X-Order", (ctx.headers.get("x-order") ?? "") + "${name}") }`
    const plugins = {
      'serverless-post-function': { phase: 'rewrite', functions: [append('post')] },
      'proxy-rewrite': { headers: { set: { 'X-Order': '$http_x_order,rewrite,' } } },
      'serverless-pre-function': { phase: 'rewrite', functions: [append('pre')] },
    }
    const gateway = await startGateway(t, {
      routes: { 1: { uri: '/*', plugins, upstream: { nodes: { [node.address]: 1 } } } },
    })
    await fetch(gateway.proxyUrl)
    assert.equal(node.requests[0]!.headers['x-order'], 'pre,rewrite,post')
  })
})
