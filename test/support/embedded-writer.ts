import { createLogger } from '../../src/observe/logger.ts'
import { EmbeddedStore } from '../../src/store/embedded-store.ts'

/**
 * A process for tests to kill: `embedded-writer.ts <directory> <first number>` writes `/n/<number>` = number, several at a time and
 * without end, and prints `<number> <revision>` once each write is acknowledged, `failed` and the reason for the first one that is not.
 */
const [directory = '', first = '0'] = process.argv.slice(2)
const store = new EmbeddedStore(directory, { logger: createLogger('silent') })
// A file size limit, which plays the full disk, would end the process otherwise.
process.on('SIGXFSZ', () => undefined)
const lanes = Array.from({ length: 8 }, (_, lane) => write(Number(first) + lane))
await Promise.race(lanes).catch((error: unknown) => console.log(`failed ${error}`))
await Promise.allSettled(lanes)
await store.close()

async function write(start: number): Promise<never> {
  for (let number = start; ; number += 8) {
    const { revision } = await store.put(`/n/${number}`, `${number} ${'x'.repeat(number % 3000)}`)
    console.log(`${number} ${revision}`)
  }
}
