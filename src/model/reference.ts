const REFERENCE = /^\$(?:secret|env):\/\//i

/**
 * Whether a configured text stands for a secret kept elsewhere: `$secret://…`, `$env://…`, `$ENV://…` (contract §1.11). The scheme
 * counts in any case: a text that was meant as a reference is never taken for the secret itself.
 */
export function isSecretReference(value: unknown): value is string {
  return typeof value === 'string' && REFERENCE.test(value)
}
