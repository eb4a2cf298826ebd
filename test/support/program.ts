import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../..')

/**
 * What Node.js is told before the arguments of `gatewright`. What was built, where that is known to be new: it starts in less time, and in Node.js 20
 * and 22 a process that loads TypeScript may, now and then on a busy machine, wait for its loader for ever.
 */
export const PROGRAM: readonly string[] =
  process.env['GATEWRIGHT_TEST_IS_BUILT'] === 'yes'
    ? [join(ROOT, 'bin/gatewright.js')]
    : ['--import', import.meta.resolve('tsx'), join(ROOT, 'src/main.ts')]
