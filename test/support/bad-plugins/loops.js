/** Never gives the event loop back. */
export default {
  name: 'loops',
  priority: 1,
  schema: { type: 'object' },
  compile: () => ({
    access: () => {
      for (;;);
    },
  }),
}
