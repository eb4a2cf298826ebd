import type { AdminKey } from './settings.ts'

/** Keys that APISIX published in its sample files; everyone knows them (decisions.md 9). */
const SAMPLE_KEYS: readonly string[] = [
  'edd1c9f034335f136f87ad84b625c8f1',
  '4054f7cf07e344346cd3f287985e76a2',
]

/** Names of the configured keys that are published ones. */
export function sampleKeyNames(keys: readonly AdminKey[]): string[] {
  return keys.filter(({ key }) => SAMPLE_KEYS.includes(key)).map(({ name }) => name)
}
