import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { findTests } from './find-tests.ts'
import {
  ETCD,
  type Machine,
  provideServer,
  provideTool,
  REDIS,
  ServerUnavailableError,
} from './server-binary.ts'

const ROOT = resolve(import.meta.dirname, '../..')

function folderOf(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatewright-runner-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content, { mode: 0o755 })
  }
  return folder
}

describe('finding test files', () => {
  const files = {
    'src/router/match.test.ts': '',
    'src/router/match.ts': '',
    'src/node_modules/x/a.test.ts': '',
    'plugins/key-auth/key-auth.test.ts': '',
    'other/b.test.ts': '',
  }

  it('lists every *.test.ts below the folders, sorted, and nothing of installed packages', (t) => {
    const root = folderOf(t, files)
    assert.deepEqual(findTests(root, ['src', 'plugins', 'absent'], []), [
      'plugins/key-auth/key-auth.test.ts',
      'src/router/match.test.ts',
    ])
  })

  it('keeps the files that contain any of the filters', (t) => {
    const root = folderOf(t, files)
    assert.deepEqual(findTests(root, ['src', 'plugins'], ['./src/router']), ['src/router/match.test.ts'])
    assert.equal(findTests(root, ['src', 'plugins'], ['key-auth', 'router']).length, 2)
    assert.deepEqual(findTests(root, ['src', 'plugins'], ['absent']), [])
  })
})

/** A machine whose PATH holds the given commands; `run` records, and does what the test says. */
function fakeMachine(t: TestContext, commands: readonly string[], parts: Partial<Machine> = {}) {
  const path = join(folderOf(t, Object.fromEntries(commands.map((name) => [`bin/${name}`, '']))), 'bin')
  const ran: string[] = []
  const machine: Machine = {
    platform: 'linux',
    isRoot: true,
    path,
    cacheFolder: join(path, '../cache'),
    say: () => {},
    ...parts,
    run(command, ...args) {
      ran.push([command, ...args].join(' '))
      return parts.run?.(command, ...args) ?? true
    },
  }
  return { machine, ran, path }
}

describe('providing a server', () => {
  it('takes the one on the PATH and runs nothing', (t) => {
    const { machine, ran, path } = fakeMachine(t, ['etcd', 'apt-get', 'docker'])
    assert.equal(provideServer(ETCD, machine), join(path, 'etcd'))
    assert.deepEqual(ran, [])
  })

  it('as root on Debian, installs Debian’s after refreshing the package lists', (t) => {
    const { machine, ran, path } = fakeMachine(t, ['apt-get', 'docker'], {
      run: (_command, ...args) => {
        if (args[0] === 'install') writeFileSync(join(path, 'etcd'), '', { mode: 0o755 })
        return true
      },
    })
    assert.equal(provideServer(ETCD, machine), join(path, 'etcd'))
    assert.deepEqual(
      ran.map((line) => line.split(' ').slice(0, 2).join(' ')),
      ['apt-get update', 'apt-get install'],
    )
    assert.match(ran[1]!, / etcd-server$/)
  })

  it('without root, takes the binary out of the image and leaves no container behind', (t) => {
    const { machine, ran } = fakeMachine(t, ['apt-get', 'docker'], {
      isRoot: false,
      run: (_command, ...args) => {
        if (args[0] === 'cp') writeFileSync(args[2]!, '')
        return true
      },
    })
    assert.equal(provideServer(ETCD, machine), join(machine.cacheFolder, 'etcd'))
    assert.deepEqual(
      ran.map((line) => line.split(' ')[1]),
      ['create', 'cp', 'rm'],
    )
    assert.equal(provideServer(ETCD, machine), join(machine.cacheFolder, 'etcd'))
    assert.equal(ran.length, 3, 'the second time it is there already')
  })

  it('says in one sentence what to do when nothing can provide it', (t) => {
    const everythingFails = { run: () => false }
    for (const commands of [[], ['apt-get'], ['apt-get', 'docker']]) {
      const { machine } = fakeMachine(t, commands, everythingFails)
      for (const [server, advice] of [
        [ETCD, /need etcd: .*install etcd 3\.4 or later/],
        [REDIS, /need redis-server: .*install redis 6 or later/],
      ] as const) {
        assert.throws(
          () => provideServer(server, machine),
          (error) => error instanceof ServerUnavailableError && advice.test(error.message),
        )
      }
    }
  })
})

describe('providing a tool', () => {
  const tool = { command: 'haproxy', aptPackage: 'haproxy' }

  it('takes what is there, and installs it as root on Debian', (t) => {
    const there = fakeMachine(t, ['haproxy', 'apt-get'])
    assert.equal(provideTool(tool, there.machine), true)
    assert.deepEqual(there.ran, [])
    const absent = fakeMachine(t, ['apt-get'], {
      run: (_command, ...args) => {
        if (args[0] === 'install') writeFileSync(join(absent.path, 'haproxy'), '', { mode: 0o755 })
        return true
      },
    })
    assert.equal(provideTool(tool, absent.machine), true)
    assert.match(absent.ran[1]!, /install .* haproxy$/)
  })

  it('does without where it cannot be installed', (t) => {
    assert.equal(provideTool(tool, fakeMachine(t, ['apt-get'], { isRoot: false }).machine), false)
    assert.equal(provideTool(tool, fakeMachine(t, ['apt-get'], { run: () => false }).machine), false)
  })
})

interface Outcome {
  readonly status: number | null
  readonly output: string
}

function runNode(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  // Without this the inner runner believes that it is a test file of the outer one and runs nothing.
  const { NODE_TEST_CONTEXT: _, ...outer } = process.env
  const child = spawn(process.execPath, args, { cwd: ROOT, env: { ...outer, ...env } })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  return new Promise((done) => child.on('close', (status) => done({ status, output })))
}

describe('npm test', () => {
  it('ends a file that never ends and names what holds it; counts tests, not files', async (t) => {
    const folder = folderOf(t, {
      'leak.test.ts': `import { it } from 'node:test'\nit('leaks', () => void setInterval(() => {}, 1000))`,
      'hang.test.ts': `import { it } from 'node:test'\nit('ends', () => {})\nit('hangs', () => new Promise((done) => setTimeout(done, 60000)))`,
      'two.test.ts': `import { describe, it } from 'node:test'\ndescribe('s', () => { it('a', () => {}); it('b', () => {}) })`,
      'none.test.ts': 'export {}',
    })
    const files = ['leak', 'two', 'none', 'hang'].map((name) => join(folder, `${name}.test.ts`))
    const args = ['--import=tsx', '--import=./test/runner/deadline.js', '--test', '--test-concurrency=4']
    const reporters = ['spec', 'stdout', './test/runner/tally.js', join(folder, 'tally.json')].map(
      (value, i) => (i % 2 === 0 ? `--test-reporter=${value}` : `--test-reporter-destination=${value}`),
    )
    const { status, output } = await runNode([...args, ...reporters, ...files], {
      GATEWRIGHT_TEST_FILE_TIMEOUT_MS: '6000',
      GATEWRIGHT_TEST_LATE_FILE: join(folder, 'late.txt'),
    })
    assert.equal(status, 1)
    const late = readFileSync(join(folder, 'late.txt'), 'utf8')
    for (const told of [output, late]) {
      assert.match(
        told,
        /leak\.test\.ts still runs after 6000 ms; tests under way: none; kept alive by: .*Timeout/,
      )
      assert.match(told, /hang\.test\.ts still runs after 6000 ms; tests under way: "hangs"; kept alive by/)
    }
    const tally = JSON.parse(readFileSync(join(folder, 'tally.json'), 'utf8'))
    assert.equal(tally.tests, 4)
    assert.deepEqual(tally.silent, [files[2]])
  })

  it('fails when no file matches, before it builds or installs anything', async () => {
    const { status, output } = await runNode(['--import=tsx', 'test/run.ts', 'no-such-file'], {})
    assert.equal(status, 1)
    assert.match(output, /no test file matches: no-such-file/)
  })
})
