import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { eventually } from './watch-recording.ts'

/** A network of its own, with a way to it from here that the test can cut. */
export interface TestNetwork {
  /** Of what listens inside. */
  readonly ip: string
  /** What starts a command inside. */
  readonly command: readonly string[]
  /** Everything between here and there is dropped without a word; connections stay open on both sides. */
  cut(): void
  heal(): void
}

/** Why this machine cannot have networks of its own; `undefined` when it can. */
export function whyNoNetworks(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are Linux’s'
  if (process.getuid?.() !== 0) return 'only root can make network namespaces'
  try {
    const name = nameOf('probe')
    ip('netns', 'add', name)
    ip('netns', 'del', name)
    return undefined
  } catch (error) {
    return `no network namespaces: ${(error as Error).message.split('\n')[0]}`
  }
}

/**
 * Makes two namespaces: one to run things in, and between it and here one with a bridge, whose port is taken away to cut. Both are
 * removed when the owner ends, which should be after all that is connected through them has.
 */
export function createNetwork(owner: { after(release: () => Promise<void>): void }): TestNetwork {
  const id = nameOf('')
  const [inside, between] = [`${id}-in`, `${id}-br`]
  // 198.18.0.0/15 is for tests of networks: nobody's real address.
  const net = `198.${randomInt(18, 20)}.${randomInt(0, 256)}`
  owner.after(async () => {
    // Without a network those who still knock would do so for minutes; with nobody listening they are turned away.
    const isQuiet = () => !process.getActiveResourcesInfo().includes('ConnectWrap')
    await eventually('the last connections to end', isQuiet)
    for (const name of [inside, between]) attempt(() => ip('netns', 'del', name))
  })
  for (const name of [inside, between]) ip('netns', 'add', name)
  wire(id, between, { name: `${id}h` })
  wire(`${id}i`, between, { name: 'eth0', namespace: inside })
  ip('-n', between, 'link', 'add', 'bridge', 'type', 'bridge')
  for (const port of [id, `${id}i`]) ip('-n', between, 'link', 'set', port, 'master', 'bridge', 'up')
  ip('-n', between, 'link', 'set', 'bridge', 'up')
  ip('addr', 'add', `${net}.1/24`, 'dev', `${id}h`)
  ip('link', 'set', `${id}h`, 'up')
  ip('-n', inside, 'addr', 'add', `${net}.2/24`, 'dev', 'eth0')
  for (const device of ['eth0', 'lo']) ip('-n', inside, 'link', 'set', device, 'up')
  // Without a neighbour that is known for good, a cut would be told as "no route to host" after some seconds.
  ip('neigh', 'replace', `${net}.2`, 'lladdr', macOf('eth0', inside), 'dev', `${id}h`, 'nud', 'permanent')
  ip(
    '-n',
    inside,
    'neigh',
    'replace',
    `${net}.1`,
    'lladdr',
    macOf(`${id}h`),
    'dev',
    'eth0',
    'nud',
    'permanent',
  )
  return {
    ip: `${net}.2`,
    command: ['ip', 'netns', 'exec', inside],
    cut: () => ip('-n', between, 'link', 'set', id, 'nomaster'),
    heal: () => ip('-n', between, 'link', 'set', id, 'master', 'bridge'),
  }
}

interface CableEnd {
  readonly name: string
  /** Absent: here. */
  readonly namespace?: string
}

/** A cable from a port in the namespace between to somewhere else. */
function wire(port: string, between: string, { name, namespace }: CableEnd): void {
  const to = namespace === undefined ? [] : ['netns', namespace]
  if (namespace === undefined) ip('link', 'add', name, 'type', 'veth', 'peer', 'name', port, 'netns', between)
  else ip('-n', between, 'link', 'add', port, 'type', 'veth', 'peer', 'name', name, ...to)
}

function macOf(device: string, namespace?: string): string {
  const place = namespace === undefined ? [] : ['-n', namespace]
  const [link] = JSON.parse(ip(...place, '-json', 'link', 'show', device)) as [{ readonly address: string }]
  return link.address
}

/** Names of devices have at most 15 characters. */
function nameOf(word: string): string {
  return `gw${word}${randomInt(0, 36 ** 5).toString(36)}`
}

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function attempt(act: () => unknown): void {
  try {
    act()
  } catch {
    // Gone already, or never made.
  }
}
