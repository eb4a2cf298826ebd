import { readFile } from 'node:fs/promises'
import type { Environment } from '../lib/env-variables.ts'
import { isObject } from '../model/schema-value.ts'
import type { StoreSettings } from '../settings/settings.ts'
import { readFileContent } from '../store/file-format.ts'
import { parseYaml } from '../store/yaml-text.ts'
import { isTlsScheme } from '../upstream/spec.ts'

type FileStoreSettings = Extract<StoreSettings, { type: 'file' }>

/**
 * Resources of a file store, as `routes/1`, whose nodes are spoken to over TLS without their certificates being checked (decisions 10).
 * For the command line: a running gateway says it in its log. Rejects with the reason when the file cannot be used.
 */
export async function findUncheckedNodes(store: FileStoreSettings, env: Environment): Promise<string[]> {
  const { path, format, prefix } = store
  const { values } = await readFileContent(await readFile(path, 'utf8'), { format, prefix, env, parseYaml })
  return [...values]
    .filter(([, text]) => upstreamsOf(JSON.parse(text)).some(isUnchecked))
    .map(([key]) => key.slice(prefix.length + 1))
}

/** The document itself where it is an upstream, and the one that stands in it. */
function upstreamsOf(document: unknown): unknown[] {
  return isObject(document) ? [document, document['upstream']] : []
}

function isUnchecked(upstream: unknown): boolean {
  if (!isObject(upstream) || !isTlsScheme(upstream['scheme'] as Parameters<typeof isTlsScheme>[0]))
    return false
  const { tls } = upstream as { tls?: unknown }
  return !isObject(tls) || tls['verify'] !== true
}
