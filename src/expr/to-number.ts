const NUMERAL = /^\s*[-+]?(?:0x[\da-f]+|\d+(?:\.\d*)?(?:e[-+]?\d+)?|\.\d+(?:e[-+]?\d+)?)\s*$/i

/** A number, or a string that Lua's `tonumber` reads as one (decimal, exponent, hexadecimal, blanks around); else `undefined`. */
export function toNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value !== 'string' || !NUMERAL.test(value)) return undefined
  const number = Number(value)
  return Number.isNaN(number) ? undefined : number
}
