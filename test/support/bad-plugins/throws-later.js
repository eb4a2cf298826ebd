/** Answers, and fails outside of the request, past every guard of the gateway. */
import { createReadStream } from 'node:fs'
import { connect } from 'node:net'
import { PassThrough } from 'node:stream'

const FAILURES = {
  timer: () =>
    void setTimeout(() => {
      throw new Error('boom')
    }, 1),
  immediate: () =>
    void setImmediate(() => {
      throw new Error('boom')
    }),
  rejection: () => void Promise.reject(new Error('boom')),
  'stream-error': () => void new PassThrough().destroy(new Error('boom')),
  'missing-file': () => void createReadStream('/nowhere/at/all'),
  'refused-connection': () => void connect(1, '127.0.0.1'),
}

export default {
  name: 'throws-later',
  priority: 1,
  schema: { type: 'object', properties: { where: { type: 'string' } } },
  compile: ({ where }) => ({
    access: () => {
      FAILURES[where]()
      return { status: 200, body: 'fine' }
    },
  }),
}
