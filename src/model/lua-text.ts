/** The Lua name of a JSON value's type, as APISIX's messages spell it (contract §3.1); `undefined` is `nil`. */
export function luaTypeName(value: unknown): string {
  if (value === undefined) return 'nil'
  if (value === null) return 'userdata'
  return typeof value === 'object' ? 'table' : typeof value
}

/** A number as Lua 5.1 prints it (`%.14g`), for messages that quote one. */
export function luaNumberText(value: number): string {
  if (!Number.isFinite(value) || value === 0) return String(value)
  const [digits, power] = value.toExponential(13).split('e') as [string, string]
  const exponent = Number(power)
  if (exponent >= -5 && exponent < 14) return String(Number(value.toPrecision(14)))
  const sign = exponent < 0 ? '-' : '+'
  return `${Number(digits)}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`
}
