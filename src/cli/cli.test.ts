import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { PROGRAM } from '../../test/support/program.ts'
import { runCli } from './run-cli.ts'

/** Loaded before the program: says so whenever a socket is about to listen. */
const LISTEN_WITNESS = `data:text/javascript,${encodeURIComponent(
  'import net from "node:net"; const listen = net.Server.prototype.listen;' +
    'net.Server.prototype.listen = function (...args) { console.error("LISTENED"); return listen.apply(this, args) }',
)}`

interface Outcome {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

function folderWith(t: TestContext, files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatewright-cli-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

function gatewright(args: readonly string[], cwd: string): Promise<Outcome> {
  const child = spawn(process.execPath, ['--import', LISTEN_WITNESS, ...PROGRAM, ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.on('data', (chunk) => (stderr += chunk))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }))
  })
}

interface Refusal {
  readonly behaviour: string
  readonly args: readonly string[]
  readonly says: RegExp
  readonly yaml?: string
}

/** Seen from outside, each in a process of its own. */
const REFUSALS: readonly Refusal[] = [
  {
    behaviour: 'an unknown flag',
    args: ['start', '--confg', 'x.yaml'],
    says: /unknown flag "--confg"; did you mean "--config"\?/,
  },
  {
    behaviour: 'an unknown key',
    args: ['start', '-c', 'bad.yaml'],
    yaml: 'apisix:\n  enable_admn: true\n',
    says: /bad\.yaml:2: unknown key "apisix\.enable_admn"; did you mean "apisix\.enable_admin"\?/,
  },
  {
    behaviour: 'a bad value',
    args: ['start', '-c', 'bad.yaml'],
    yaml: 'apisix:\n  router: {http: radix}\n',
    says: /bad\.yaml:2: apisix\.router\.http: "radix" is not allowed; use one of "radixtree_host_uri"/,
  },
]

/** The same, too many for a process each: no gateway may be made. */
const MORE_REFUSALS: readonly Refusal[] = [
  { behaviour: 'no command', args: [], says: /^gatewright COMMAND/ },
  { behaviour: 'an unknown command', args: ['strat'], says: /"strat"; did you mean "start"\?/ },
  { behaviour: 'help for an unknown command', args: ['help', 'chekc'], says: /did you mean "check"\?/ },
  { behaviour: 'a flag without its value', args: ['start', '-c'], says: /flag "-c" needs a value/ },
  { behaviour: 'a flag in place of a value', args: ['dev', '--to', '--port'], says: /"--to" needs a value/ },
  {
    behaviour: 'an unknown short flag',
    args: ['check', '-x'],
    says: /unknown flag "-x"; flags here: --config/,
  },
  { behaviour: 'a stray argument', args: ['start', 'a.yaml'], says: /unexpected argument "a\.yaml"/ },
  { behaviour: 'a bad port', args: ['dev', '--port', '99999'], says: /--port: "99999" is not allowed/ },
  {
    behaviour: 'a target without scheme',
    args: ['dev', '--to', 'host:3000'],
    says: /"host:3000" is not allowed/,
  },
  { behaviour: 'a target with a path', args: ['dev', '--to', 'http://a/b'], says: /host and port only/ },
  { behaviour: 'a missing file', args: ['start', '-c', 'none.yaml'], says: /none\.yaml: cannot be read/ },
  {
    behaviour: "APISIX's sample admin key",
    args: ['start', '-c', 'bad.yaml'],
    yaml: 'deployment: {admin: {admin_key: [{name: a, key: edd1c9f034335f136f87ad84b625c8f1, role: admin}]}}\n',
    says: /published sample key/,
  },
]

/** Runs a command line in this process, where making a gateway fails the test. */
async function runHere(
  t: TestContext,
  args: readonly string[],
  files: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  let stdout = ''
  let stderr = ''
  const exitCode = await runCli(args, {
    env: {},
    workingDirectory: folderWith(t, files),
    print: (line) => (stdout += `${line}\n`),
    note: (line) => (stderr += `${line}\n`),
    events: new EventEmitter(),
    launch: () => assert.fail('a gateway was made'),
  })
  return { exitCode, stdout, stderr }
}

describe('the command line refuses, with exit code 1 and nothing bound or written,', {
  concurrency: 2,
}, () => {
  for (const { behaviour, args, says, yaml } of REFUSALS) {
    it(behaviour, async (t) => {
      const folder = folderWith(t, yaml === undefined ? {} : { 'bad.yaml': yaml })
      const { exitCode, stdout, stderr } = await gatewright(args, folder)
      assert.match(stderr, says)
      assert.equal(exitCode, 1)
      assert.equal(stdout, '')
      assert.doesNotMatch(stderr, /LISTENED/)
      assert.deepEqual(readdirSync(folder), yaml === undefined ? [] : ['bad.yaml'])
    })
  }
})

describe('the command line refuses, with exit code 1 and no gateway made,', () => {
  for (const { behaviour, args, says, yaml } of MORE_REFUSALS) {
    it(behaviour, async (t) => {
      const outcome = await runHere(t, args, yaml === undefined ? {} : { 'bad.yaml': yaml })
      assert.match(outcome.stderr, says)
      assert.deepEqual([outcome.exitCode, outcome.stdout], [1, ''])
    })
  }
})

describe('gatewright check', { concurrency: 2 }, () => {
  it('prints every effective value with where it came from and masks secrets', async (t) => {
    const yaml = [
      'apisix: {node_listen: 8000}',
      'plugins: [key-auth, key-atuh]',
      'nginx_config: {worker_rlimit_nofile: 20480}',
      'deployment: {admin: {admin_key: [{name: ops, key: hush, role: admin}]}}',
    ]
    const folder = folderWith(t, { 'config.yaml': yaml.join('\n') })
    const { exitCode, stdout, stderr } = await gatewright(['check'], folder)
    assert.equal(exitCode, 0)
    assert.match(stdout, /^apisix\.node_listen +\[\{"ip":"0\.0\.0\.0","port":8000\}\] +\(config\.yaml:1\)$/m)
    assert.match(stdout, /^apisix\.status\.port +7085 +\(default\)$/m)
    assert.match(stderr, /ignored, without meaning here: nginx_config\.worker_rlimit_nofile/)
    assert.match(stderr, /does not have: key-atuh \(did you mean key-auth\?\)/)
    assert.doesNotMatch(stdout + stderr, /hush|LISTENED/)
    assert.deepEqual(readdirSync(folder), ['config.yaml'])
  })

  it('names the upstreams of apisix.yaml whose nodes are spoken to over TLS unchecked', async (t) => {
    const { exitCode, stderr } = await runHere(t, ['check', '-c', 'config.yaml'], {
      'config.yaml': 'deployment: {role: data_plane, role_data_plane: {config_provider: yaml}}',
      'apisix.yaml': 'upstreams: [{id: 1, scheme: https, nodes: {"10.0.0.1:443": 1}}]\n#END\n',
    })
    assert.equal(exitCode, 0)
    assert.match(stderr, /^warning: the certificates of nodes are not checked in upstreams\/1;/m)
  })
})

describe('help and version', () => {
  it('go to standard output with exit code 0', async (t) => {
    const said = async (...args: string[]): Promise<string> => {
      const { exitCode, stdout, stderr } = await runHere(t, args)
      assert.deepEqual([exitCode, stderr], [0, ''])
      return stdout
    }
    assert.match(await said('--version'), /^gatewright \d+\.\d+\.\d+ \(node /)
    assert.equal(await said('version'), await said('-v'))
    assert.match(await said('help'), /^ {2}check +validate/m)
    assert.match(await said('dev', '--help'), /--to URL/)
    assert.equal(await said('help', 'dev'), await said('dev', '-h'))
  })
})
