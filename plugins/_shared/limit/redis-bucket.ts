import { defineScript } from '../redis/script.ts'
import type { Drain } from './leaky-bucket.ts'
import type { RedisPlace } from './redis-windows.ts'

/** ARGV: rate, burst. Answers the excess as text, because numbers lose their fraction, or nothing for one too many. */
const POUR = defineScript(`
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
local known = redis.call('HMGET', KEYS[1], 'excess', 'at')
local excess = 0
if known[1] then
  excess = math.max(0, tonumber(known[1]) + 1 - rate * math.max(0, now - tonumber(known[2])) / 1000)
end
if excess > burst then return false end
redis.call('HSET', KEYS[1], 'excess', string.format('%.9f', excess), 'at', string.format('%.3f', now))
redis.call('PEXPIRE', KEYS[1], math.min(2^52, math.ceil((excess + 1) / rate * 1000)))
return string.format('%.9f', excess)
`)

const MS_PER_SECOND = 1000

/** Buckets that all nodes with the same redis share, see {@link LeakyBuckets}. */
export function redisBuckets({ redis, prefix }: RedisPlace) {
  return async (key: string, { rate, burst }: Drain): Promise<number | undefined> => {
    const excess = await redis.run(POUR, prefix + key, [rate, burst])
    return excess === null ? undefined : (Number(excess) / rate) * MS_PER_SECOND
  }
}
