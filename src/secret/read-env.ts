import type { Environment } from '../lib/env-variables.ts'
import { type EnvReference, parseReference } from './reference.ts'
import { fieldOf } from './secret-document.ts'
import type { SecretAnswer, SecretSource } from './secret-source.ts'

/** The value of a variable, or of a key of the JSON object in it (contract §1.11). */
export function readEnv(env: Environment, { name, field }: EnvReference): SecretAnswer {
  const text = Object.hasOwn(env, name) ? env[name] : undefined
  if (text === undefined) return { ok: false, reason: `the environment variable ${name} is not set` }
  const answer = fieldOf({ text }, field)
  return answer.ok ? answer : { ok: false, reason: `environment variable ${name}: ${answer.reason}` }
}

/** Answers references to the environment only: what the configuration of a secret manager may use. */
export function envSource(env: Environment): SecretSource {
  return {
    read(text) {
      const parsed = parseReference(text)
      if (parsed?.ok && parsed.reference.kind === 'env') return readEnv(env, parsed.reference)
      return { ok: false, reason: 'a secret manager can refer to the environment only ($env://NAME)' }
    },
  }
}
