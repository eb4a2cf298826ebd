type Claims = Readonly<Record<string, unknown>>

export interface ClaimRules {
  /** Claims that must be there. */
  readonly required: readonly string[]
  readonly nowSeconds: number
  readonly graceSeconds: number
}

/**
 * Why the token is not good now, or `undefined`. `exp` and `nbf` count whenever they are there, and must be numbers (RFC 7519
 * §4.1.4 and §4.1.5).
 */
export function problemOfClaims(
  claims: Claims,
  { required, nowSeconds, graceSeconds }: ClaimRules,
): string | undefined {
  for (const name of required) {
    if (!Object.hasOwn(claims, name)) return `the claim ${name} is missing`
  }
  for (const name of ['exp', 'nbf']) {
    if (Object.hasOwn(claims, name) && !Number.isFinite(claims[name]))
      return `the claim ${name} is not a number`
  }
  const { exp, nbf } = claims as { exp?: number; nbf?: number }
  if (exp !== undefined && exp <= nowSeconds - graceSeconds) return 'the token has expired'
  if (nbf !== undefined && nbf > nowSeconds + graceSeconds) return 'the token is not valid yet'
  return undefined
}
