import type { TimeSlices } from '../../src/lib/time-slices.ts'
import type { Configs, ConfigsEntry, ConfigsList } from '../../src/store/configs-store.ts'
import { CONFIGS_LISTS, versionKey } from './configs-check.ts'

/** A configuration as JSON text, in the shape it is handed over in (contract §2.4). */
export async function configsText(
  { lists, digest, lastModified }: Configs,
  slices: TimeSlices,
): Promise<string> {
  const members: string[] = []
  for (const name of CONFIGS_LISTS) {
    const list = lists.get(name)
    if (list !== undefined && list.entries.length > 0) members.push(`"${name}":${listText(name, list)}`)
    members.push(`"${versionKey(name)}":${list?.version ?? 0}`)
    await slices.pause()
  }
  if (digest !== undefined) members.push(`"X-Digest":${JSON.stringify(digest)}`)
  if (lastModified !== undefined) members.push(`"X-Last-Modified":${lastModified}`)
  return `{${members.join(',')}}`
}

function listText(name: string, { entries }: ConfigsList): string {
  // The list of plugins is one entry.
  if (name === 'plugins') return entries[0]!.value
  return `[${entries.map(entryText).join(',')}]`
}

function entryText({ value, index, isIndexed }: ConfigsEntry): string {
  if (!isIndexed) return value
  const members = value.slice(1)
  return `{"modifiedIndex":${index}${members === '}' ? '' : ','}${members}`
}
