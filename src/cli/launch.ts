import type { Settings } from '../settings/settings.ts'
import type { LaunchedGateway, LaunchParts } from './command.ts'

/** This program again; what it is to be, Node's environment tells it. */
const WORKER = { file: process.argv[1] ?? '', args: [] } as const

/** Runs this process as a worker; resolves with the exit code. */
export async function launchWorker(): Promise<number> {
  const [{ runWorker }, { workerPlugins }] = await Promise.all([
    import('../gateway/worker.ts'),
    import('./load-catalogue.ts'),
  ])
  return runWorker(workerPlugins())
}

/** Puts a gateway together from the parts of this package. They are loaded here, because `check` and `version` need none of them. */
export async function launchGateway(
  settings: Settings,
  { readPluginList, quit, development }: LaunchParts,
): Promise<LaunchedGateway> {
  const [{ createGateway }, { loadCatalogue }, { createAdminApi }, { catalogue }] = await Promise.all([
    import('../gateway/gateway.ts'),
    import('./load-catalogue.ts'),
    import('../../admin/api/index.ts'),
    import('../../plugins/catalogue.ts'),
  ])
  const parts = { settings, adminApi: createAdminApi, readPluginList, quit, worker: WORKER }
  if (development) return createGateway({ ...parts, catalogue: catalogue, development })
  return createGateway({ ...parts, catalogue: await loadCatalogue(settings) })
}
