/** Keeps a megabyte of each request for ever. */
const kept = []

export default {
  name: 'leaks',
  priority: 1,
  schema: { type: 'object' },
  compile: () => ({
    access: () => {
      kept.push(Buffer.alloc(1024 * 1024, 1))
      return { status: 200, body: 'fine' }
    },
  }),
}
