import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import type { CliContext } from '../src/cli/command.ts'
import { runCli } from '../src/cli/run-cli.ts'

const ROOT = resolve(import.meta.dirname, '..')
const FOLDER = 'docs/operate/compose'
const SETTINGS = `${FOLDER}/config.yaml`

interface Service {
  readonly image?: string
  readonly build?: string
  readonly pull_policy?: string
  readonly entrypoint?: readonly string[]
  readonly command?: readonly string[]
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly networks?: readonly string[]
  readonly network_mode?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly deploy?: { readonly replicas: number }
  readonly stop_grace_period?: string
  readonly restart?: string
  readonly healthcheck?: { readonly test: readonly string[]; readonly interval: string }
}

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>
}

const services = Object.entries(compose.services)
/** Those that run once and end. */
const ONCE = ['keys']
const GATEWAYS = ['gateway-1', 'gateway-2']
const MEMBERS = ['etcd-1', 'etcd-2', 'etcd-3']

const settings = parse(read(SETTINGS)) as {
  readonly deployment: { readonly etcd: { readonly host: readonly string[] } }
  readonly gatewright: { readonly shutdown: { readonly min_drain_ms: number; readonly max_drain_ms: number } }
}

async function runCheck(file: string): Promise<{ exitCode: number; output: string }> {
  const lines: string[] = []
  const context: CliContext = {
    env: { ADMIN_KEY: 'a'.repeat(48), FIELD_KEY: 'f'.repeat(32), REGISTRY_KEY: 'r'.repeat(48) },
    workingDirectory: ROOT,
    print: (line) => lines.push(line),
    note: (line) => lines.push(line),
    events: new EventEmitter() as unknown as CliContext['events'],
    launch: () => Promise.reject(new Error('check launches nothing')),
  }
  const exitCode = await runCli(['check', '-c', file], context)
  return { exitCode, output: lines.join('\n') }
}

/** `host:port` of a target is a service of the file, which is in the network of whoever asks. */
function assertReachable(from: string, target: string): void {
  const name = target.split(':')[0]!
  const service = compose.services[name]
  assert.ok(service, `${from} names ${target}, and there is no such service`)
  const shared = service.networks!.filter((network) => compose.services[from]!.networks!.includes(network))
  assert.ok(shared.length > 0, `${from} shares no network with ${name}`)
}

describe('docker-compose.yml', () => {
  it('has three members of etcd, two gateways, three instances of a service, and what watches them', () => {
    const names = [...ONCE, ...MEMBERS, ...GATEWAYS, 'balancer', 'sample', 'prometheus', 'grafana', 'jaeger']
    assert.deepEqual(Object.keys(compose.services), names)
    assert.equal(compose.services['sample']!.deploy?.replicas, 3)
  })

  it('uses nothing but images of a given version, or built here', () => {
    const built = services.flatMap(([, { image, build }]) => (build === undefined ? [] : [image]))
    for (const [name, { image }] of services) {
      if (!built.includes(image)) assert.match(image ?? '', /:v?\d+\.\d+\.\d+(-\w+)?$/, name)
    }
  })

  it('builds the image of the gateways once, and looks for it nowhere else', () => {
    const own = services.filter(([name]) => GATEWAYS.includes(name))
    assert.deepEqual(
      own.map(([, { image, build, pull_policy }]) => [image, build, pull_policy]),
      [
        ['gatewright:local', '.', undefined],
        ['gatewright:local', undefined, 'never'],
      ],
      "two builds at a time of one image get into each other's way",
    )
  })

  it('runs one version of Node, which is that of the image built here', () => {
    const bases = [...read('Dockerfile').matchAll(/^FROM (\S+)/gm)].map(([, image]) => image!)
    const images = services.flatMap(([, { image }]) => (image?.startsWith('node:') ? [image] : []))
    assert.equal(images.length, 2)
    assert.deepEqual([...new Set([...bases, ...images])], [bases[0]])
    assert.match(bases[0]!, /^node:\d+\.\d+\.\d+-slim$/)
  })

  it('checks the health of everything that stays, and starts it again', () => {
    for (const [name, { healthcheck, restart }] of services) {
      if (ONCE.includes(name)) continue
      assert.equal(healthcheck?.test[0], 'CMD', name)
      assert.ok(Number.parseInt(healthcheck.interval, 10) <= 5, name)
      assert.equal(restart, 'unless-stopped', name)
    }
  })

  it('starts in an order that works: keys and etcd, gateways, the balancer, the sample', () => {
    const conditions = (name: string) =>
      Object.entries(compose.services[name]!.depends_on ?? {}).map(
        ([on, { condition }]) => `${on} ${condition}`,
      )
    const keys = 'keys service_completed_successfully'
    for (const name of GATEWAYS) {
      assert.deepEqual(conditions(name), [keys, ...MEMBERS.map((member) => `${member} service_healthy`)])
    }
    assert.deepEqual(
      conditions('balancer'),
      GATEWAYS.map((name) => `${name} service_healthy`),
    )
    assert.deepEqual(conditions('sample'), [keys, 'balancer service_healthy'])
  })

  it('publishes nothing but the proxy beyond this machine', () => {
    const published = services.flatMap(([, { ports }]) => ports ?? [])
    assert.ok(published.includes('127.0.0.1:9180:9180'))
    assert.deepEqual(
      published.filter((port) => !port.startsWith('127.0.0.1:')),
      ['9080:9080', '9443:9443'],
    )
  })

  it('lets nobody but gateways and Prometheus come near etcd, and nothing in or out there', () => {
    assert.equal(compose.networks['store']?.internal, true)
    const near = services.flatMap(([name, { networks }]) => (networks?.includes('store') ? [name] : []))
    assert.deepEqual(near, [...MEMBERS, ...GATEWAYS, 'prometheus'])
    for (const member of MEMBERS) assert.deepEqual(compose.services[member]!.networks, ['store'])
  })

  it('puts services into networks that exist, and those with ports into one that leads out', () => {
    for (const [name, { networks, ports, network_mode: mode }] of services) {
      for (const network of networks ?? []) assert.ok(network in compose.networks, `${name}: ${network}`)
      assert.ok(networks !== undefined || mode === 'none', name)
      if (ports)
        assert.ok(
          networks!.some((network) => !compose.networks[network]?.internal),
          name,
        )
    }
  })

  it('gives a gateway longer than its drain takes, and drains longer than the balancer takes to notice', () => {
    const { min_drain_ms, max_drain_ms } = settings.gatewright.shutdown
    for (const name of GATEWAYS) {
      const graceMs = Number.parseInt(compose.services[name]!.stop_grace_period!, 10) * 1000
      assert.ok(graceMs >= max_drain_ms + 5000, name)
    }
    const [, interval, fall] = /check port \d+ inter (\d+)ms fall (\d+)/.exec(read(`${FOLDER}/haproxy.cfg`))!
    assert.ok(min_drain_ms >= 2 * Number(interval) * Number(fall))
  })

  it('lets the balancer end by itself, however long its connections are kept', () => {
    const [, hardStopS] = /^ {2}hard-stop-after (\d+)s$/m.exec(read(`${FOLDER}/haproxy.cfg`)) ?? []
    assert.ok(hardStopS, 'haproxy waits for all its connections unless it is told how long')
    const graceS = Number.parseInt(compose.services['balancer']!.stop_grace_period ?? '10', 10)
    assert.ok(graceS >= Number(hardStopS) + 5)
  })

  it('mounts what exists, at one place each, and declares exactly the volumes that it uses', () => {
    const used = new Set<string>()
    for (const [name, { volumes }] of services) {
      const targets = new Set<string>()
      for (const [source, target, mode] of (volumes ?? []).map((mount) => mount.split(':'))) {
        assert.ok(!targets.has(target!), `${name}: ${target}`)
        targets.add(target!)
        if (!source!.startsWith('./')) used.add(source!)
        else {
          assert.ok(existsSync(join(ROOT, source!)), source)
          assert.equal(mode, 'ro', `${name}: ${source}`)
        }
      }
    }
    assert.deepEqual([...used].sort(), Object.keys(compose.volumes).sort())
  })

  it('runs scripts that are mounted and can be read, each by a program', () => {
    for (const [name, { entrypoint = [], command = [], volumes = [] }] of services) {
      const words = [...entrypoint, ...command]
      for (const [index, script] of words.entries()) {
        if (!/^\/[\w-]+\.(sh|mjs)$/.test(script)) continue
        const source = volumes.find((mount) => mount.split(':')[1] === script)?.split(':')[0]
        assert.ok(source, `${name}: ${script}`)
        // A checkout may lose the right to run it.
        assert.equal(words[index - 1], script.endsWith('.sh') ? 'sh' : 'node', name)
        const check = script.endsWith('.sh')
          ? (['sh', '-n'] as const)
          : ([process.execPath, '--check'] as const)
        assert.equal(spawnSync(check[0], [check[1], join(ROOT, source)]).status, 0, source)
      }
    }
  })
})

describe('the keys of docker-compose.yml', () => {
  it('stand in no file', () => {
    for (const [name, { environment }] of services) {
      for (const variable of Object.keys(environment ?? {})) {
        if (/key|password|secret|token/i.test(variable)) assert.match(variable, /__FILE$/, name)
      }
    }
    const files = readdirSync(join(ROOT, FOLDER), { recursive: true, encoding: 'utf8' })
    for (const file of ['docker-compose.yml', ...files.map((file) => `${FOLDER}/${file}`)]) {
      if (!statSync(join(ROOT, file)).isFile()) continue
      assert.doesNotMatch(
        read(file),
        /(key|password|secret|token)["']?\s*[:=]\s*["']?[A-Za-z0-9+/]{12,}/i,
        file,
      )
    }
    assert.deepEqual(
      [...read(SETTINGS).matchAll(/key(?:ring)?: (\S+)/g)].map(([, value]) =>
        value!.replace(/[[\]"}]+$/, '').replace(/^[["]+/, ''),
      ),
      [...read(SETTINGS).matchAll(/\$\{\{\w+/g)].map(([value]) => value),
      'every key of the settings comes from the environment',
    )
  })

  it('reach those who need them, and only those', () => {
    const keys = Object.fromEntries(
      services.map(([name, { volumes = [] }]) => [
        name,
        volumes.flatMap((mount) => /^(\w+)-keys:/.exec(mount)?.[1] ?? []),
      ]),
    )
    assert.deepEqual(keys['gateway-1'], ['gateway', 'sample'])
    assert.deepEqual(keys['gateway-2'], ['gateway', 'sample'])
    assert.deepEqual(keys['sample'], ['sample'])
    assert.deepEqual(keys['grafana'], ['grafana'])
    for (const name of [...MEMBERS, 'balancer', 'prometheus', 'jaeger'])
      assert.deepEqual(keys[name], [], name)
  })

  it('are made once, differ, and become variables of whoever may read them', {
    skip: process.getuid?.() === 0 ? false : 'changing owners takes root',
  }, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'gatewright-keys-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    for (const name of ['gateway', 'sample', 'grafana']) mkdirSync(join(folder, name))
    const make = read(`${FOLDER}/make-keys.sh`).replaceAll('/keys/', `${folder}/`)
    const show = () =>
      spawnSync('sh', [
        ...[join(ROOT, FOLDER, 'with-keys.sh'), join(folder, 'gateway'), join(folder, 'sample'), '--'],
        ...['sh', '-c', 'echo $ADMIN_KEY $FIELD_KEY $REGISTRY_KEY'],
      ]).stdout.toString()
    assert.equal(spawnSync('sh', ['-c', make]).status, 0)
    const first = show()
    assert.match(first, /^[0-9a-f]{48} [0-9a-f]{32} [0-9a-f]{48}\n$/)
    assert.equal(new Set(first.trim().split(' ')).size, 3)
    assert.equal(statSync(join(folder, 'gateway/ADMIN_KEY')).mode & 0o777, 0o600)
    assert.equal(statSync(join(folder, 'gateway/ADMIN_KEY')).uid, 1000)
    assert.match(readFileSync(join(folder, 'grafana/GRAFANA_PASSWORD'), 'utf8'), /^[0-9a-f]{24}$/)
    assert.equal(spawnSync('sh', ['-c', make]).status, 0)
    assert.equal(show(), first)
  })
})

describe('the files beside docker-compose.yml', () => {
  it('give the gateways settings that pass their own check, with all members as the store', async () => {
    const { exitCode, output } = await runCheck(join(ROOT, SETTINGS))
    assert.equal(exitCode, 0, output)
    const hosts = MEMBERS.map((name) => `http://${name}:2379`)
    assert.deepEqual(settings.deployment.etcd.host, hosts)
    assert.match(output, /deployment\.etcd\.host\S*\s+.*http:\/\/etcd-1:2379/)
    assert.doesNotMatch(output, /ignored/)
  })

  it('tell every member of etcd of itself and the others', () => {
    for (const name of MEMBERS) {
      const { environment, volumes } = compose.services[name]!
      assert.equal(environment?.['ETCD_NAME'], name)
      assert.equal(environment?.['ETCD_ADVERTISE_CLIENT_URLS'], `http://${name}:2379`)
      assert.equal(environment?.['ETCD_INITIAL_ADVERTISE_PEER_URLS'], `http://${name}:2380`)
      assert.equal(
        environment?.['ETCD_INITIAL_CLUSTER'],
        MEMBERS.map((member) => `${member}=http://${member}:2380`).join(','),
      )
      assert.deepEqual(volumes, [`${name}-data:${environment?.['ETCD_DATA_DIR']}`])
    }
  })

  it('lead the balancer to both gateways, by what their status says', () => {
    const text = read(`${FOLDER}/haproxy.cfg`)
    const servers = [...text.matchAll(/^ {2}server (\S+) (\S+)( backup)?$/gm)]
    const ports = ['9080', '9443', '9180']
    assert.deepEqual(
      servers.map(([, , address]) => address),
      ports.flatMap((port) => GATEWAYS.map((name) => `${name}:${port}`)),
    )
    for (const [, name, address] of servers) {
      assert.equal(address!.split(':')[0], name)
      assertReachable('balancer', address!)
    }
    assert.match(text, /http-check send meth GET uri \/status\/ready/)
    const hasHaproxy = spawnSync('haproxy', ['-v']).status === 0
    if (hasHaproxy) {
      const { status, stderr } = spawnSync('haproxy', ['-c', '-f', join(ROOT, FOLDER, 'haproxy.cfg')])
      assert.equal(status, 0, stderr.toString())
    }
  })

  it('let Prometheus read both gateways, every member of etcd and the balancer', () => {
    const prometheus = parse(read(`${FOLDER}/prometheus.yml`)) as {
      readonly scrape_configs: readonly {
        readonly job_name: string
        readonly metrics_path?: string
        readonly static_configs: readonly { readonly targets: readonly string[] }[]
      }[]
    }
    assert.deepEqual(Object.keys(prometheus), ['global', 'scrape_configs'])
    const targets = prometheus.scrape_configs.flatMap((job) =>
      job.static_configs.flatMap((one) => one.targets),
    )
    assert.deepEqual(targets, [
      ...GATEWAYS.map((name) => `${name}:9091`),
      ...MEMBERS.map((name) => `${name}:2379`),
      'balancer:8404',
    ])
    for (const target of targets) assertReachable('prometheus', target)
    assert.equal(prometheus.scrape_configs[0]!.metrics_path, '/apisix/prometheus/metrics')
  })

  it('lead Grafana to Prometheus, Jaeger and the dashboards, and traces to Jaeger', () => {
    const provisioning = `${FOLDER}/grafana/provisioning`
    const { datasources } = parse(read(`${provisioning}/datasources/datasources.yaml`)) as {
      readonly datasources: readonly { readonly uid: string; readonly url: string }[]
    }
    assert.deepEqual(
      datasources.map(({ uid, url }) => `${uid} ${url}`),
      ['prometheus http://prometheus:9090', 'jaeger http://jaeger:16686'],
    )
    for (const { url } of datasources) assertReachable('grafana', new URL(url).host)
    const { providers } = parse(read(`${provisioning}/dashboards/dashboards.yaml`)) as {
      readonly providers: readonly { readonly options: { readonly path: string } }[]
    }
    const mounts = compose.services['grafana']!.volumes!
    assert.ok(mounts.includes(`./${FOLDER}/grafana/dashboards:${providers[0]!.options.path}:ro`))
    const [, collector] = /collector: \{ address: "(\S+)" \}/.exec(read(SETTINGS))!
    assert.equal(collector, 'jaeger:4318')
    for (const name of GATEWAYS) assertReachable(name, collector)
  })
})

describe('Dockerfile', () => {
  const lines = read('Dockerfile').split('\n')

  it('copies only what exists and what .dockerignore lets in', () => {
    const letIn = read('.dockerignore')
    const copied = lines
      .filter((line) => /^COPY (?!--from)/.test(line))
      .flatMap((line) => line.split(' ').slice(1, -1))
      .map((path) => path.replace('./', ''))
    assert.ok(copied.length > 5)
    for (const path of copied) {
      assert.ok(existsSync(join(ROOT, path)), `${path} does not exist`)
      assert.match(letIn, new RegExp(`^!${path}$`, 'm'))
    }
  })

  it('does not run the gateway as root', () => {
    const user = lines.indexOf('USER node')
    assert.ok(user > 0 && user < lines.findIndex((line) => line.startsWith('CMD')))
  })
})
