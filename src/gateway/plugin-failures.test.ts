import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pluginThatThrew } from './plugin-failures.ts'

function thrownAt(...frames: readonly string[]): Error {
  const error = new Error('boom')
  error.stack = ['Error: boom', ...frames.map((frame) => `    at ${frame}`)].join('\n')
  return error
}

describe('an error that nobody caught', () => {
  it('belongs to the plugin whose code is on its stack', () => {
    const source = 'Timeout._onTimeout (file:///srv/gatewright/plugins/opa/index.ts:12:9)'
    assert.equal(pluginThatThrew(thrownAt('listOnTimeout (node:internal/timers:581:17)', source)), 'opa')
    const built = 'x (/srv/gatewright/dist/plugins/http-logger/index.js:3:1)'
    assert.equal(
      pluginThatThrew(thrownAt('parse (/srv/gatewright/dist/src/lib/host.js:1:2)', built)),
      'http-logger',
    )
  })

  it('belongs to one of the user, wherever that lies', () => {
    const frame = 'Timeout._onTimeout (file:///srv/ext/my-thing/index.ts:12:9)'
    assert.equal(pluginThatThrew(thrownAt(frame), ['/srv/ext']), 'my-thing')
    assert.equal(pluginThatThrew(thrownAt(frame), ['/srv/other']), undefined)
  })

  it('belongs to an unknown one when the system refused something to nobody who could be named', () => {
    const refused = (...frames: string[]) => Object.assign(thrownAt(...frames), { syscall: 'open' })
    assert.equal(pluginThatThrew(refused()), 'unknown')
    assert.equal(pluginThatThrew(refused('TCPConnectWrap.afterConnect (node:net:1:2)')), 'unknown')
    assert.equal(pluginThatThrew(refused('f (/srv/gatewright/dist/src/plugin/run.js:3:1)')), undefined)
  })

  it('belongs to none otherwise', () => {
    assert.equal(pluginThatThrew(thrownAt('f (/srv/gatewright/dist/src/plugin/run.js:3:1)')), undefined)
    assert.equal(pluginThatThrew(thrownAt('f (/srv/gatewright/dist/plugins/catalogue.js:3:1)')), undefined)
    assert.equal(pluginThatThrew('plugins/opa/index.ts:1'), undefined)
  })
})
