import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { definePlugin } from '../../src/plugin/api.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { rawRequest } from '../support/raw-client.ts'

/** Gives every response of its route the status that the query asks for. */
const restatus = definePlugin<object>({
  name: 'restatus',
  priority: 1,
  schema: { type: 'object' },
  compile: () => ({
    headerFilter: (context) => {
      context.response.status = Number(context.arg('status'))
    },
  }),
})

describe('a plugin that takes the body away by the status it sets', () => {
  for (const status of [204, 304]) {
    it(`of ${status} leaves no byte of it where the next answer begins`, async (t) => {
      const upstream = await fakeUpstream(t, (_request, response) => {
        response.setHeader('content-length', 4)
        response.end('evil')
      })
      const gateway = await startGateway(
        t,
        {
          routes: {
            1: {
              uri: '/*',
              plugins: { restatus: {} } as never,
              upstream: { nodes: { [upstream.address]: 1 } },
            },
          },
        },
        { plugins: { restatus: async () => ({ default: restatus }) } },
      )
      const { text } = await rawRequest(
        gateway.proxyPort,
        `GET /?status=${status} HTTP/1.1\r\nHost: a\r\n\r\nGET /?status=200 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      )
      assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} .*?\r\n\r\nHTTP/1\\.1 200 .*\r\n\r\nevil$`, 's'))
    })
  }
})
