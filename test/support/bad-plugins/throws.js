/** Throws, or rejects, in the phase that its configuration names. */
const fail = (how) => {
  if (how === 'throw') throw new Error('boom')
  return Promise.reject(new Error('boom'))
}

export default {
  name: 'throws',
  priority: 1,
  schema: {
    type: 'object',
    properties: { phase: { type: 'string' }, how: { type: 'string', default: 'throw' } },
  },
  compile: ({ phase, how }) => ({ [phase]: () => fail(how) }),
}
