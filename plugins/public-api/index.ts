import { definePlugin, type FromSchema, type Reply } from '../../src/plugin/api.ts'

const schema = {
  type: 'object',
  properties: {
    uri: {
      type: 'string',
      minLength: 1,
      description: "Path of the endpoint; the request's own unless given.",
    },
  },
} as const

/** The page of the status, as for any route that is not there. */
const NOT_FOUND: Reply = { status: 404 }

/** Lets clients reach the endpoints that other plugins offer (contract §7.3). */
export default definePlugin<FromSchema<typeof schema>>({
  name: 'public-api',
  priority: 501,
  phases: ['access'],
  schema,
  compile({ uri }, host) {
    return {
      // Looked up each time: plugins come and go while the gateway runs.
      access(context) {
        const api = host.findPublicApi(context.method, uri ?? context.path)
        return api ? api.handle(context) : NOT_FOUND
      },
    }
  },
})
