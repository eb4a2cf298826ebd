import { ConfigError } from '../../src/plugin/api.ts'
import { compileAmount } from '../_shared/limit/amount.ts'
import { redisTarget } from '../_shared/redis/target.ts'
import type { LimitCountConfig } from './schema.ts'

const MIN_SYNC_INTERVAL_S = 0.1

/** The rules that the schema cannot say, with the texts of contract §7.3. */
export function checkConfig(config: LimitCountConfig): void {
  const { policy, rules, count, time_window: window, group, sync_interval: syncInterval } = config
  if (rules) {
    if (count !== undefined || window !== undefined) {
      throw new ConfigError('count/time_window and rules cannot be specified at the same time')
    }
    if (group !== undefined) throw new ConfigError('group and rules cannot be specified at the same time')
    checkRuleKeys(rules)
  }
  checkSyncInterval(syncInterval, window)
  if (policy !== 'local') redisTarget(policy, config)
  for (const rule of rules ?? [{ count: count!, time_window: window! }]) {
    compileAmount('count', rule.count)
    compileAmount('time_window', rule.time_window)
  }
}

function checkRuleKeys(rules: NonNullable<LimitCountConfig['rules']>): void {
  const seen = new Set<string>()
  for (const { key } of rules) {
    if (seen.has(key)) throw new ConfigError(`duplicate key '${key}' in rules`)
    seen.add(key)
  }
}

function checkSyncInterval(seconds: number, window: number | string | undefined): void {
  if (seconds === -1) return
  if (seconds < MIN_SYNC_INTERVAL_S) throw new ConfigError('sync_interval should not be smaller than 0.1')
  if (typeof window === 'number' && seconds >= window) {
    throw new ConfigError('sync_interval should be smaller than time_window')
  }
}
