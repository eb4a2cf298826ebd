import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificate } from '../../support/certificates.ts'
import type { DoorsServer } from './bench-server.ts'
import { startGatewrightDoors } from './gatewright.ts'
import { startBodyOrigin, startNginxDoors } from './nginx-doors.ts'
import type { PinnedProcess } from './pinned-process.ts'
import { installMissing } from './tools.ts'

export const KB = 1_000
export const MB = 1_000_000
/** The bodies that the origin has. */
const SIZES = [KB, 100 * KB, 10 * MB]

/** Both servers in front of one origin, on one core; load and origin belong on the other. */
export interface Pair {
  readonly gateway: DoorsServer
  readonly nginx: DoorsServer
  readonly serverCore: number
  readonly loadCore: number
  /** For what the load needs to have in a file. */
  readonly folder: string
}

/**
 * Starts the pair, hands it over and ends it. Needs Linux and the commands; says so under `title` and returns when they cannot be had.
 */
export async function withPair(
  { title, commands, cores }: { title: string; commands: readonly string[]; cores: readonly number[] },
  use: (pair: Pair) => Promise<void>,
): Promise<void> {
  if (process.platform !== 'linux') {
    console.log(`${title}: skipped, because CPU time and pinning are those of Linux`)
    return
  }
  const missing = installMissing(['taskset', 'nginx', ...commands])
  if (missing.length > 0) {
    console.log(
      `${title}: skipped, because there is no ${missing.join(' and no ')}; install it, or run as root`,
    )
    return
  }
  const folder = await mkdtemp(join(tmpdir(), 'gatewright-bench-'))
  const started: PinnedProcess[] = []
  try {
    await use(await startPair(folder, cores, started))
  } finally {
    await Promise.all(started.map((server) => server.stop()))
    await rm(folder, { recursive: true, force: true })
  }
}

async function startPair(folder: string, cores: readonly number[], started: PinnedProcess[]): Promise<Pair> {
  const [serverCore, loadCore] = [cores[0]!, cores.at(-1)!]
  const ownFolder = () => mkdtemp(join(folder, 'server-'))
  const origin = await startBodyOrigin({ core: loadCore, folder: await ownFolder() }, SIZES)
  started.push(origin.process)
  const certificate = makeCertificate({ names: ['localhost'] })
  const place = { core: serverCore, originPort: origin.port }
  const nginx = await startNginxDoors({ ...place, folder: await ownFolder() }, certificate)
  started.push(nginx.process)
  const gateway = await startGatewrightDoors({ ...place, folder: await ownFolder() }, certificate)
  started.push(gateway.process)
  for (const [name, { ports }] of Object.entries({ nginx, gateway })) await expectBodies(name, ports.plain)
  return { nginx, gateway, serverCore, loadCore, folder }
}

/** A proxy that answers something of its own would win every race. */
async function expectBodies(name: string, port: number): Promise<void> {
  for (const size of SIZES) {
    const response = await fetch(`http://127.0.0.1:${port}/${size}`)
    const { byteLength } = await response.arrayBuffer()
    if (response.status === 200 && byteLength === size) continue
    throw new Error(
      `${name} answers ${response.status} with ${byteLength} bytes where the origin has ${size}`,
    )
  }
}
