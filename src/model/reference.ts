const REFERENCE = /^\$(?:secret|env|ENV):\/\//

/** Whether a configured text stands for a secret kept elsewhere: `$secret://…`, `$env://…`, `$ENV://…` (contract §1.11). */
export function isSecretReference(value: unknown): value is string {
  return typeof value === 'string' && REFERENCE.test(value)
}
