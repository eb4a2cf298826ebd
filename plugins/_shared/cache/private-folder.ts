import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'

/** What clients were sent is for the user of the process alone. */
const PRIVATE_FOLDER = 0o700

/**
 * Makes a folder and those above it that are missing. Throws when that cannot be; Node's own `recursive` never comes back where a file
 * system refuses with ENOENT, as /proc does.
 */
export async function makePrivateFolder(path: string): Promise<void> {
  try {
    await makeOne(path)
  } catch (error) {
    const above = dirname(path)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || above === path) throw error
    await makePrivateFolder(above)
    await makeOne(path)
  }
}

async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: PRIVATE_FOLDER })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
