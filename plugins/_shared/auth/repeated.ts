import type { Headers } from '../../../src/plugin/api.ts'

/** Whether credentials stand twice: which of them the upstream reads is not known, so they prove nothing (CVE-2026-26308). */
export function isRepeated(headers: Headers, lowerName: string): boolean {
  return headers.all(lowerName).length > 1
}
