/** Milliseconds of each unit of nginx's times. */
const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const UNITS_BYTES: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }

/** Milliseconds of a time as nginx writes it: `60s`, `500ms`, `1m`, or a bare number of seconds. Undefined for anything else. */
export function parseTime(value: unknown): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h|d)?$/.exec(textOf(value))
  return match ? Number(match[1]) * UNITS_MS[match[2] ?? 's']! : undefined
}

/** Bytes of a size as nginx writes it: `8k`, `10m`, `1g`, or a bare number. Undefined for anything else. */
export function parseSize(value: unknown): number | undefined {
  const match = /^(\d{1,15})([kmg]?)$/i.exec(textOf(value))
  const bytes = match ? Number(match[1]) * UNITS_BYTES[match[2]!.toLowerCase()]! : undefined
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}
