import type { Settings } from '../settings/settings.ts'
import type { LaunchedGateway } from './command.ts'

/** This program again; what it is to be, Node's environment tells it. */
const WORKER = { file: process.argv[1] ?? '', args: [] } as const

/** Runs this process as a worker; resolves with the exit code. */
export async function launchWorker(): Promise<number> {
  const [{ runWorker }, { loadCatalogue }] = await Promise.all([
    import('../gateway/worker.ts'),
    import('./load-catalogue.ts'),
  ])
  return runWorker(loadCatalogue)
}

/** Puts a gateway together from the parts of this package. They are loaded here, because `check` and `version` need none of them. */
export async function launchGateway(
  settings: Settings,
  readPluginList: () => Settings['plugins'],
): Promise<LaunchedGateway> {
  const [{ createGateway }, { loadCatalogue }, { createAdminApi }] = await Promise.all([
    import('../gateway/gateway.ts'),
    import('./load-catalogue.ts'),
    import('../../admin/api/index.ts'),
  ])
  const catalogue = await loadCatalogue(settings)
  return createGateway({ settings, catalogue, adminApi: createAdminApi, readPluginList, worker: WORKER })
}
