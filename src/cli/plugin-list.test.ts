import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { Settings } from '../settings/settings.ts'
import { SettingsError } from '../settings/settings-error.ts'
import { runCli } from './run-cli.ts'

type ReadPluginList = () => Settings['plugins']

/** Runs a command with this settings file; `meet` is shown what a gateway is launched with, which then ends the command. */
async function launchWith(
  t: TestContext,
  [command, ...args]: readonly string[],
  meet: (settings: Settings, readPluginList: ReadPluginList, write: (text: string) => void) => void,
): Promise<void> {
  const workingDirectory = mkdtempSync(join(tmpdir(), 'gatewright-plugin-list-'))
  t.after(() => rmSync(workingDirectory, { recursive: true }))
  const write = (text: string) => writeFileSync(join(workingDirectory, 'config.yaml'), text)
  write('plugins: [key-auth]\n')
  let hasMet = false
  await runCli([command!, ...args], {
    env: {},
    workingDirectory,
    print: () => undefined,
    note: () => undefined,
    events: new EventEmitter(),
    launch: async (settings, { readPluginList }) => {
      meet(settings, readPluginList, write)
      hasMet = true
      throw new Error('nothing is started in this test')
    },
  })
  assert.ok(hasMet)
}

describe('the list of plugins of a running gateway', () => {
  for (const args of [['start'], ['dev', '-c', 'config.yaml']]) {
    it(`is read again from the file that \`${args[0]}\` was started with`, async (t) => {
      await launchWith(t, args, (settings, readPluginList, write) => {
        assert.deepEqual(settings.plugins, ['key-auth'])
        write('plugins: [key-auth, limit-count]\n')
        assert.deepEqual(readPluginList(), ['key-auth', 'limit-count'])
        write('apisix: {}\n')
        assert.equal(readPluginList(), 'all')
      })
    })
  }

  it('cannot be read from settings that cannot be used', async (t) => {
    await launchWith(t, ['start'], (_settings, readPluginList, write) => {
      write('pluginz: []\n')
      assert.throws(readPluginList, SettingsError)
    })
  })
})
