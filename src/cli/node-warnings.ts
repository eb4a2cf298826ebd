import type { Environment } from '../lib/env-variables.ts'
import type { Settings } from '../settings/settings.ts'

const MOST_NAMED = 5

/** What is doubtful about nodes in a file store, or that its file cannot be used; other stores are not opened. One sentence, or none. */
export async function nodeWarnings({ store }: Pick<Settings, 'store'>, env: Environment): Promise<string[]> {
  if (store.type !== 'file') return []
  // Loaded here: most checks have no file to read.
  const { findUncheckedNodes } = await import('../gateway/unchecked-nodes.ts')
  try {
    const unchecked = await findUncheckedNodes(store, env)
    if (unchecked.length === 0) return []
    const named = unchecked.slice(0, MOST_NAMED).join(', ')
    const rest = unchecked.length > MOST_NAMED ? ` and ${unchecked.length - MOST_NAMED} more` : ''
    return [
      `the certificates of nodes are not checked in ${named}${rest}; set tls.verify: true in the upstream to have them checked`,
    ]
  } catch (error) {
    return [`${store.path} cannot be used as it stands: ${(error as Error).message}`]
  }
}
