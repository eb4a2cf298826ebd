import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, it } from 'node:test'
import type { RequestContext } from '../../../src/plugin/api.ts'
import { HeaderList } from '../../../src/plugin/context/header-list.ts'
import { compilePacking } from './packing.ts'

function answerOver(upstreamScheme: string | undefined, source: 'upstream' | 'gateway'): RequestContext {
  const variables: Record<string, unknown> = { server_protocol: 'HTTP/1.1', upstream_scheme: upstreamScheme }
  return {
    method: 'GET',
    headers: new HeaderList(['Accept-Encoding', 'x']),
    response: { status: 200, source, headers: new HeaderList(['Content-Type', 'application/json']) },
    var: (name: string) => variables[name],
    get: () => undefined,
  } as unknown as RequestContext
}

describe('what plugins pack', () => {
  const config = { types: '*', min_length: 1, http_version: 1.1 } as const
  const pack = compilePacking(config, { coding: 'x', isGlobal: false, makeStream: () => new PassThrough() })

  it('is not what a gRPC node answers, whatever a plugin behind makes of it', () => {
    for (const scheme of ['grpc', 'grpcs']) assert.equal(pack(answerOver(scheme, 'upstream')), undefined)
    for (const scheme of ['http', 'https', undefined]) assert.ok(pack(answerOver(scheme, 'upstream')), scheme)
    assert.ok(pack(answerOver('grpc', 'gateway')))
  })
})
