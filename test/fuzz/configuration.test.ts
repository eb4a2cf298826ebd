import assert from 'node:assert/strict'
import { it } from 'node:test'
import { catalogue } from '../../plugins/catalogue.ts'
import type { AnyPlugin } from '../../src/plugin/definition.ts'
import { compileWorld } from '../support/compile-world.ts'
import { makeValue } from './configuration-values.ts'
import { seeded } from './mutations.ts'

/** More of both for a longer hunt: FUZZ_RUNS=2500 FUZZ_SEED=7 npm test -- fuzz/configuration (100,000 values). */
const VALUES = Number(process.env['FUZZ_RUNS'] ?? 500) * 40
const SEED = Number(process.env['FUZZ_SEED'] ?? 20261121)
/** Values in one revision. */
const ROUND = 250
/** Paths that requests ask for in between. */
const PATHS = ['/a/x', '/b', '/c/7', '/f', '/g', '/other', '/%00', '/__proto__']

const OTHER = { uri: '/other', host: 'other.test', upstream: { nodes: { '127.0.0.1:1': 1 } } }

it(`C15: ${VALUES} mutated values in the store crash nothing, and each concerns itself alone`, async (t) => {
  const plugins = await Promise.all(
    Object.values(catalogue).map(async (load): Promise<AnyPlugin> => (await load()).default),
  )
  const world = compileWorld(plugins)
  const random = seeded(SEED)
  const beganAt = performance.now()
  const seen = { used: 0, refused: 0, slowestMs: 0, slowest: '' }
  await world.write({ 'routes/other': OTHER })
  for (let made = 0; made < VALUES; made += ROUND) {
    const values = new Map<string, string>()
    for (let i = 0; i < ROUND; i++) {
      const { path, text } = makeValue(plugins, `f${i}`, random)
      values.set(path, text)
    }
    const startedAt = performance.now()
    await world.write(Object.fromEntries(values))
    const tookMs = performance.now() - startedAt
    if (tookMs > seen.slowestMs) Object.assign(seen, { slowestMs: tookMs, slowest: made })
    const { quarantined } = world.publisher.status
    const refused = new Set(quarantined.map(({ kind, id }) => `${kind}/${id}`))
    for (const { reason, kind, id } of quarantined) {
      assert.ok(
        reason.length > 0 && reason.length < 2000,
        `${kind}/${id}: ${values.get(`${kind}/${id}`)?.slice(0, 500)}`,
      )
    }
    for (const path of refused)
      assert.ok(values.has(path), `${path} was not written: seed ${SEED}, round ${made}`)
    seen.refused += refused.size
    seen.used += values.size - refused.size
    for (const path of PATHS) world.match(path, 'x.test')
    assert.equal(world.match('/other', 'other.test')?.route.id, 'other', `seed ${SEED}, round ${made}`)
    await world.write(Object.fromEntries([...values.keys()].map((path) => [path, undefined])))
  }
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
  assert.equal(world.publisher.status.quarantined.length, 0)
  assert.equal(world.instances.size, 0)
  const seconds = Math.round((performance.now() - beganAt) / 1000)
  t.diagnostic(
    `seed ${SEED}: ${seen.used} used, ${seen.refused} refused in ${seconds} s; the slowest ${ROUND} took ${Math.round(seen.slowestMs)} ms`,
  )
  assert.ok(seen.used > VALUES / 20 && seen.refused > VALUES / 4)
  world.publisher.close()
})
