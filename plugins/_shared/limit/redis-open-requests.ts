import { defineScript } from '../redis/script.ts'
import type { RedisPlace } from './redis-windows.ts'

/** ARGV: id of the request, the most there may be, ms until it is given up. Answers how many there are, 0 for one too many. */
const ENTER = defineScript(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local count = redis.call('ZCARD', KEYS[1]) + 1
if count > tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return count
`)

const LEAVE = defineScript("return redis.call('ZREM', KEYS[1], ARGV[1])")

export interface RedisEntry {
  readonly key: string
  /** Of the request; unique. */
  readonly id: string
}

/** Requests under way of all nodes with the same redis. One whose node is gone is given up after `ttlMs`. */
export function redisOpenRequests({ redis, prefix }: RedisPlace, ttlMs: number) {
  return {
    /** How many there are with this one; `undefined` when they would be more than `most`. */
    async enter({ key, id }: RedisEntry, most: number): Promise<number | undefined> {
      const count = (await redis.run(ENTER, prefix + key, [id, most, ttlMs])) as number
      return count === 0 ? undefined : count
    },
    async leave({ key, id }: RedisEntry): Promise<void> {
      await redis.run(LEAVE, prefix + key, [id])
    },
  }
}
