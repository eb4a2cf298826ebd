import { resolve } from 'node:path'
import { LivePlugins } from '../authoring/live/live-plugins.ts'
import { generateAdminKey } from '../settings/admin-key.ts'
import { loadSettings } from '../settings/load.ts'
import { urlOf } from './announce.ts'
import { type Addresses, type CliContext, type Command, UsageError } from './command.ts'
import { CONFIG_FLAG } from './config-file.ts'
import { parseFlags, toPort } from './flags.ts'
import { type ServeHooks, serve } from './serve.ts'

const FLAGS = { ...CONFIG_FLAG, to: {}, port: {}, 'admin-port': {} } as const

export const devCommand: Command = {
  name: 'dev',
  summary: 'try it out: everything in memory, every request proxied to one URL',
  help: [
    'gatewright dev [--to URL] [--port N] [--admin-port N] [-c FILE]',
    '',
    'Starts a gateway that keeps its configuration in memory and forgets it at the end, with a fresh admin key.',
    'Plugins of your own are live a moment after they were saved, if their types and tests are fine.',
    '',
    '  --to URL            proxy every path to this server, such as http://127.0.0.1:3000',
    '  --port N            port of the proxy on 127.0.0.1; that of the settings when absent',
    '  --admin-port N      port of the admin API; that of the settings when absent',
    '  -c, --config FILE   settings file; none is read when absent',
  ].join('\n'),
  run,
}

async function run(args: readonly string[], context: CliContext): Promise<number> {
  const flags = parseFlags(args, FLAGS)
  const target = flags.to === undefined ? undefined : toTarget(flags.to)
  const adminKey = generateAdminKey()
  const overrides: Record<string, unknown> = {
    'gatewright.store': 'memory',
    'gatewright.workers': 1,
    'deployment.role': 'traditional',
    'apisix.ssl.enable': false,
    'gatewright.debug.timeline': 1000,
    'deployment.admin.admin_key': [{ name: 'dev', key: adminKey, role: 'admin' }],
  }
  if (flags.port !== undefined) {
    overrides['apisix.node_listen'] = [{ ip: '127.0.0.1', port: toPort('--port', flags.port) }]
  }
  const adminPort = flags['admin-port']
  if (adminPort !== undefined)
    overrides['deployment.admin.admin_listen.port'] = toPort('--admin-port', adminPort)

  const { env, workingDirectory } = context
  const load = () => loadSettings({ file: flags.config, env, workingDirectory, flags: overrides })
  const hooks: ServeHooks = {
    closingLines: () => [`admin key: ${adminKey} (until the end of this run)`],
    develop: ({ gatewright }, reload) =>
      new LivePlugins({
        paths: gatewright.plugin_paths.map((path) => resolve(workingDirectory, path)),
        workingDirectory,
        reload,
        note: (line) => context.note(line),
      }),
  }
  if (target === undefined) return serve(load, context, hooks)
  if (!load().settings.apisix.enable_admin) {
    throw new UsageError('--to needs the admin API; take apisix.enable_admin: false out of the settings')
  }
  return serve(load, context, {
    ...hooks,
    afterStart: (addresses) => writeCatchAll({ addresses, adminKey, target }),
    closingLines: () => [`  every path goes to ${flags.to}`, ...(hooks.closingLines?.({ proxy: [] }) ?? [])],
  })
}

interface Target {
  readonly scheme: 'http' | 'https'
  readonly node: string
}

function toTarget(text: string): Target {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:'
  if (!url || !isHttp || url.pathname !== '/' || url.search !== '' || url.username !== '') {
    throw new UsageError(
      `--to: "${text}" is not allowed; use scheme, host and port only, such as http://127.0.0.1:3000`,
    )
  }
  const scheme = url.protocol === 'https:' ? 'https' : 'http'
  return { scheme, node: `${url.hostname}:${url.port || (scheme === 'https' ? 443 : 80)}` }
}

interface CatchAll {
  readonly addresses: Addresses
  readonly adminKey: string
  readonly target: Target
}

/** Through the front door, so that the route is checked and stored like any other and can be edited like one. */
async function writeCatchAll({ addresses, adminKey, target }: CatchAll): Promise<void> {
  if (!addresses.admin) throw new Error('the admin API does not listen')
  const { ip, port } = addresses.admin
  const reachable = { ip: ip === '0.0.0.0' ? '127.0.0.1' : ip === '::' ? '::1' : ip, port }
  const response = await fetch(`${urlOf(reachable)}/apisix/admin/routes/dev`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', 'x-api-key': adminKey },
    body: JSON.stringify({
      name: 'dev',
      uri: '/*',
      upstream: { type: 'roundrobin', scheme: target.scheme, pass_host: 'node', nodes: { [target.node]: 1 } },
    }),
    signal: AbortSignal.timeout(5000),
  })
  if (!response.ok)
    throw new Error(`the route to --to was refused: ${response.status} ${await response.text()}`)
}
