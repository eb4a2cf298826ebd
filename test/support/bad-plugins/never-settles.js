/** Never settles in the phase that its configuration names. */
export default {
  name: 'never-settles',
  priority: 1,
  schema: { type: 'object', properties: { phase: { type: 'string' } } },
  compile: ({ phase }) => ({ [phase]: () => new Promise(() => {}) }),
}
