import type { Environment } from '../lib/env-variables.ts'
import { type Layer, layerOf } from './layer.ts'
import { SettingsError } from './settings-error.ts'

/**
 * What an orchestrator says about the time a stop may take; weaker than the file. The gateway leaves 5 s of it to the rest of the
 * container (systems.md §6.2). Throws {@link SettingsError}.
 */
export function graceLayer(env: Environment): Layer {
  const text = env['TERMINATION_GRACE_PERIOD_SECONDS']
  if (text === undefined || text === '') return layerOf({}, 'env')
  const seconds = Number(text)
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 86_400) {
    throw new SettingsError([
      `TERMINATION_GRACE_PERIOD_SECONDS: ${JSON.stringify(text)} is not allowed; use a whole number of seconds, 1–86400`,
    ])
  }
  const drainSeconds = seconds > 10 ? seconds - 5 : Math.max(seconds - 1, 1)
  return layerOf({ 'gatewright.shutdown.max_drain_ms': drainSeconds * 1000 }, 'env')
}

/** `APISIX_DEPLOYMENT_ETCD_HOST`, a JSON array of URLs; stronger than the file (contract §9). Throws {@link SettingsError}. */
export function etcdHostLayer(env: Environment): Layer {
  const text = env['APISIX_DEPLOYMENT_ETCD_HOST']
  if (text === undefined || text === '') return layerOf({}, 'env')
  try {
    return layerOf({ 'deployment.etcd.host': JSON.parse(text) }, 'env')
  } catch {
    throw new SettingsError([
      `APISIX_DEPLOYMENT_ETCD_HOST: ${JSON.stringify(text)} is not allowed; use a JSON array of URLs such as ["http://127.0.0.1:2379"]`,
    ])
  }
}
