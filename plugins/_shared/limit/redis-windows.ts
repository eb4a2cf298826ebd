import type { RedisConnection } from '../redis/connection.ts'
import { defineScript, type RedisScript } from '../redis/script.ts'
import type { Allowance, Quota, TakeQuota } from './quota.ts'
import { weigh } from './sliding-window.ts'

/** ARGV: limit, length of the window in ms. Answers: allowed, used, ms left. */
const FIXED = defineScript(`
local left = redis.call('PTTL', KEYS[1])
if left <= 0 then
  redis.call('SET', KEYS[1], 1, 'PX', ARGV[2])
  return {1, 1, tonumber(ARGV[2])}
end
local used = tonumber(redis.call('GET', KEYS[1]))
if used >= tonumber(ARGV[1]) then return {0, used, left} end
return {1, redis.call('INCR', KEYS[1]), left}
`)

/**
 * The two windows of {@link SlidingWindow} in one hash: number of the current one, its count, the previous one's. The time is
 * redis's own, so that nodes whose clocks differ agree. Arguments as above; answers: current before this
 * attempt, previous, ms ahead.
 */
const SLIDING = defineScript(`
local limit, length = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local index = math.floor(now / length)
local known = redis.call('HMGET', KEYS[1], 'index', 'current', 'previous', 'length')
local current, previous = 0, 0
if known[1] and tonumber(known[4]) == length then
  local before = tonumber(known[1])
  if before >= index then
    index, current, previous = before, tonumber(known[2]), tonumber(known[3])
  elseif before == index - 1 then
    previous = tonumber(known[2])
  end
end
local ahead = math.min(length, (index + 1) * length - now)
if current < limit and math.min(previous, limit) * ahead / length + current < limit then
  redis.call('HSET', KEYS[1], 'index', index, 'current', current + 1, 'previous', previous, 'length', length)
  redis.call('PEXPIRE', KEYS[1], 2 * length)
end
return {current, previous, ahead}
`)

/** Where counters are kept in redis. */
export interface RedisPlace {
  readonly redis: RedisConnection
  /** Goes before every key. */
  readonly prefix: string
}

/** Windows that all nodes with the same redis share. */
export function redisWindows(type: 'fixed' | 'sliding', { redis, prefix }: RedisPlace): TakeQuota {
  const { script, read } = kinds[type]
  return async (key, { limit, windowMs }) => {
    // Redis counts time in whole milliseconds.
    const allowance = { limit, windowMs: Math.max(1, Math.round(windowMs)) }
    const reply = await redis.run(script, prefix + key, [limit, allowance.windowMs])
    return read(reply as [number, number, number], allowance)
  }
}

interface Kind {
  readonly script: RedisScript
  readonly read: (reply: readonly [number, number, number], allowance: Allowance) => Quota
}

const kinds: Readonly<Record<'fixed' | 'sliding', Kind>> = {
  fixed: {
    script: FIXED,
    read: ([allowed, used, leftMs], { limit }) =>
      allowed === 1
        ? { isAllowed: true, remaining: limit - used, resetMs: leftMs }
        : { isAllowed: false, remaining: 0, resetMs: leftMs },
  },
  sliding: {
    script: SLIDING,
    read: ([current, previous, aheadMs], allowance) => weigh({ current, previous, aheadMs }, allowance),
  },
}
