/** Throws in the middle of a response, in a filter or in a stream. */
import { Transform } from 'node:stream'

const boom = () => {
  throw new Error('boom')
}

const FILTERS = {
  write: () => ({ write: boom, end: () => undefined }),
  end: () => ({ write: (chunk) => chunk, end: boom }),
  stream: () => ({ stream: new Transform({ transform: boom }) }),
  'stream-error': () => ({
    stream: new Transform({ transform: (_chunk, _encoding, done) => done(new Error('boom')) }),
  }),
}

export default {
  name: 'throws-in-filter',
  priority: 1,
  schema: { type: 'object', properties: { where: { type: 'string' } } },
  compile: ({ where }) => ({ bodyFilter: FILTERS[where] }),
}
