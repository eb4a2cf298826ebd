import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { linkPair } from '../../../test/support/channel-pair.ts'
import { fakeClock } from '../../../test/support/fake-clock.ts'
import { eventually } from '../../../test/support/watch-recording.ts'
import { PluginRegistry } from '../../plugin/registry.ts'
import { answerPluginChecks, askPluginCheck } from './check-feed.ts'

/** A worker with a plugin that refuses what is called so. */
function picky(): PluginRegistry {
  const registry = new PluginRegistry()
  registry.register({
    name: 'picky',
    priority: 1,
    schema: { type: 'object' },
    check({ name }) {
      if (name === 'bad') throw new Error('I do not like it')
    },
    compile: () => ({}),
  })
  return registry
}

describe('a check that only a worker can make', () => {
  it('is answered by the code of the plugin', async () => {
    const { primary, worker } = linkPair()
    const registry = picky()
    answerPluginChecks(worker, () => registry)
    const ask = (plugin: string, config: unknown) =>
      askPluginCheck(primary, [plugin, config, 'resource'], fakeClock())
    assert.equal(await ask('picky', { name: 'good' }), undefined)
    assert.equal(
      await ask('picky', { name: 'bad' }),
      'failed to check the configuration of plugin picky err: I do not like it',
    )
    assert.equal(await ask('unknown', {}), undefined)
  })

  it('refuses nothing when no worker says so in time', async () => {
    const { primary, worker, close } = linkPair()
    answerPluginChecks(worker, () => undefined)
    const check = ['picky', { name: 'bad' }, 'resource'] as const
    assert.equal(await askPluginCheck(undefined, check, fakeClock()), undefined)
    assert.equal(await askPluginCheck(primary, check, fakeClock()), undefined)
    worker.on('check', () => new Promise(() => undefined))
    const clock = fakeClock()
    const late = askPluginCheck(primary, check, clock)
    await eventually('it is asked', () => primary.outstanding === 1)
    await clock.advance(2000)
    assert.equal(await late, undefined)
    const gone = askPluginCheck(primary, check, clock)
    await eventually('it is asked', () => primary.outstanding === 2)
    close()
    assert.equal(await gone, undefined)
  })
})
