import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type AnyPlugin,
  compileExpression,
  compileTemplate,
  definePlugin,
  type PluginInstance,
} from '../plugin/api.ts'
import { mountPlugin, refusal } from './mount-plugin.ts'

const schema = { type: 'object', properties: { n: { type: 'integer', default: 3 } } } as const

function plugin(compile: AnyPlugin['compile']): AnyPlugin {
  return definePlugin<{ n: number }>({ name: 'sample', priority: 1, schema, compile })
}

describe('mountPlugin', () => {
  it('fills in defaults and runs every phase in order', async () => {
    const seen: string[] = []
    const note = (phase: string) => () => void seen.push(phase)
    const phases: PluginInstance = {
      rewrite: note('rewrite'),
      access: note('access'),
      beforeProxy: note('beforeProxy'),
      headerFilter: note('headerFilter'),
      bodyFilter: () => ({
        write: (chunk) => chunk,
        end: () => Buffer.from('!'),
      }),
      log: note('log'),
    }
    const mounted = mountPlugin(
      plugin((config) => {
        seen.push(`n=${config.n}`)
        return phases
      }),
      {},
    )
    const answer = await mounted.request({ target: '/a?b=1', upstream: { status: 201, body: ['x', 'y'] } })
    assert.deepEqual(seen, ['n=3', 'rewrite', 'access', 'beforeProxy', 'headerFilter', 'log'])
    assert.equal(answer.status, 201)
    assert.equal(answer.body, 'xy!')
    assert.equal(answer.sent?.target, '/a?b=1')
  })

  it('refuses a bad configuration with the text that users see', () => {
    const sample = plugin(() => ({}))
    assert.throws(
      () => mountPlugin(sample, { n: 'x' }),
      /property "n" validation failed: wrong type: expected integer, got string/,
    )
    assert.match(refusal(sample, { n: 'x' }) ?? '', /^property "n"/)
  })

  it('holds a plugin to the phases that it declares', () => {
    const logging = plugin(() => ({ log: () => undefined }))
    const mount = (phases: AnyPlugin['phases']) => mountPlugin({ ...logging, ...(phases && { phases }) }, {})
    assert.throws(() => mount(['access']), /sample has the phase "log", which its "phases" lack: access/)
    mount(['access', 'log'])
    mount(undefined)
  })

  it('gives a plugin what operations in all workers answer, which is one here', async () => {
    const kept = new Set(['a'])
    const forgetful = definePlugin({
      name: 'forgetful',
      priority: 1,
      schema: {},
      workerOperations: { forget: () => (key: string) => kept.delete(key) },
      compile(_config, host) {
        const forget = host.workerOperation<string, boolean>('forget')
        return { access: async () => ({ status: 200, body: { forgotten: await forget('a') } }) }
      },
    })
    const mounted = mountPlugin(forgetful, {})
    for (const wasThere of [true, false]) {
      assert.equal((await mounted.request()).body, `{"forgotten":[${wasThere}]}\n`)
    }
  })

  it('passes a throwing phase on to the test', async () => {
    const mounted = mountPlugin(
      plugin(() => ({
        access() {
          throw new Error('broken')
        },
      })),
      {},
    )
    await assert.rejects(mounted.request(), /broken/)
  })

  it('runs what was handed to own, in reverse order', async () => {
    const released: string[] = []
    const mounted = mountPlugin(
      plugin((_config, host) => {
        const timer = setInterval(() => undefined, 60_000)
        host.own(() => clearInterval(timer))
        host.own(() => void released.push('second'))
        host.own(() => void released.push('third'))
        return {}
      }),
      {},
    )
    await mounted.dispose()
    assert.deepEqual(released, ['third', 'second'])
  })

  it('fails when a plugin leaves a timer behind, from compile or from a phase', async () => {
    const timers: NodeJS.Timeout[] = []
    const start = () => void timers.push(setInterval(() => undefined, 60_000).unref())
    const inCompile = mountPlugin(
      plugin(() => {
        start()
        return {}
      }),
      {},
    )
    await assert.rejects(inCompile.dispose(), /sample left Timeout behind; hand their release to host\.own/)
    const inPhase = mountPlugin(
      plugin(() => ({ access: start })),
      {},
    )
    await inPhase.request()
    await assert.rejects(inPhase.dispose(), /sample left Timeout behind/)
    for (const timer of timers) clearInterval(timer)
  })
})

describe('a variable that a plugin sets', () => {
  it('is read like any other, and only in its request', async () => {
    const read: unknown[] = []
    const mounted = mountPlugin(
      plugin(() => ({
        rewrite(context) {
          if (context.arg('set')) context.setVariable('sample_tier', 'gold')
        },
        log(context) {
          const isGold = compileExpression([['sample_tier', '==', 'gold']]).test(context)
          read.push(compileTemplate('tier=$sample_tier').render(context), isGold)
        },
      })),
      {},
    )
    await mounted.request({ target: '/?set=1' })
    await mounted.request()
    assert.deepEqual(read, ['tier=gold', true, 'tier=', false])
  })

  it('takes the name of none that the gateway has', async () => {
    for (const name of ['remote_addr', 'http_x_user', 'arg_a']) {
      const mounted = mountPlugin(
        plugin(() => ({ rewrite: (context) => context.setVariable(name, 'x') })),
        {},
      )
      await assert.rejects(mounted.request(), new RegExp(`variable "${name}" is the gateway's own`))
    }
  })
})
