import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Environment } from '../lib/env-variables.ts'
import { checkLayer, type Findings, noFindings } from './check-layer.ts'
import { chooseStore } from './choose-store.ts'
import { DEFAULTS } from './defaults.ts'
import { etcdHostLayer, graceLayer } from './environment-layers.ts'
import { isMap } from './key-spec.ts'
import { ROOT } from './keys/keys.ts'
import { type Layer, layerOf } from './layer.ts'
import { type MutableTree, mergeLayer } from './merge-layer.ts'
import { normalize } from './normalize.ts'
import { parseYaml } from './parse-yaml.ts'
import { brokenRules, doubtfulChoices } from './rules.ts'
import type { Settings } from './settings.ts'
import { SettingsError } from './settings-error.ts'

export interface LoadOptions {
  /** Path of the YAML file; absent starts from the defaults alone. */
  readonly file?: string | undefined
  readonly env: Environment
  /** Strongest layer: values by path, such as `{'apisix.node_listen': 9081}`. */
  readonly flags?: Readonly<Record<string, unknown>>
  /** What relative paths start from; the process's own when absent. */
  readonly workingDirectory?: string
}

export interface LoadedSettings {
  readonly settings: Settings
  /** Path → `config.yaml:12`, `env`, `flag`, or the key that decided; what is not in it has its default. */
  readonly sources: ReadonlyMap<string, string>
  /** Keys of nginx and Lua that mean nothing here, each once. */
  readonly ignored: readonly string[]
  /** One sentence each. */
  readonly warnings: readonly string[]
}

/**
 * Reads, checks, merges and freezes the boot configuration. Defaults < environment's grace period < file < etcd hosts of the environment
 * < flags. Throws {@link SettingsError} with every problem found.
 */
export function loadSettings(options: LoadOptions): LoadedSettings {
  const workingDirectory = options.workingDirectory ?? process.cwd()
  const layers = [
    graceLayer(options.env),
    fileLayer(options, workingDirectory),
    etcdHostLayer(options.env),
    layerOf(options.flags ?? {}, 'flag'),
  ]
  const findings = noFindings()
  const trees = layers.map((layer) => checkLayer(layer, findings))
  if (findings.problems.length > 0) throw new SettingsError(findings.problems)

  const merged = structuredClone(DEFAULTS) as unknown as MutableTree
  const sources = new Map<string, string>()
  trees.forEach((tree, index) => {
    mergeLayer(
      merged,
      { tree, spec: ROOT, path: '' },
      { sources, origin: (path) => layers[index]!.origin(path) },
    )
  })
  const checked = normalize(merged, workingDirectory)
  noteDerived(checked, sources)
  const broken = brokenRules(checked)
  if (broken.length > 0) throw new SettingsError(broken)

  const store = chooseStore(checked, {
    namesEtcd: trees.some((tree) => isMap(tree['deployment']) && isMap(tree['deployment']['etcd'])),
    configFile: options.file === undefined ? undefined : resolve(workingDirectory, options.file),
    workingDirectory,
  })
  return {
    settings: deepFreeze({ ...checked, store }),
    sources,
    ignored: [...findings.ignored],
    warnings: [...inertWarning(findings), ...storeWarnings(store, sources), ...doubtfulChoices(checked)],
  }
}

/** Names the key that decided where one key's value follows from another. */
function noteDerived(
  { apisix, deployment, gatewright }: Omit<Settings, 'store'>,
  sources: Map<string, string>,
): void {
  if (deployment.role !== 'traditional') sources.set('apisix.enable_admin', 'deployment.role')
  if (gatewright.server_header !== false && apisix.enable_server_tokens) {
    sources.set('gatewright.server_header', 'apisix.enable_server_tokens')
  }
}

function fileLayer(options: LoadOptions, workingDirectory: string): Layer {
  if (options.file === undefined) return layerOf({}, 'file')
  let text: string
  try {
    text = readFileSync(resolve(workingDirectory, options.file), 'utf8')
  } catch (error) {
    throw new SettingsError([`${options.file}: cannot be read: ${(error as Error).message}`])
  }
  return parseYaml(text, options.file, options.env)
}

/** Says so where the store is not what the file seems to say. */
function storeWarnings(store: Settings['store'], sources: ReadonlyMap<string, string>): string[] {
  const provider = 'deployment.role_traditional.config_provider'
  if (!sources.has(provider)) return []
  if (store.type === 'embedded') {
    return [`${provider}: the embedded store is used, because deployment.etcd is not there`]
  }
  return store.type === 'configs'
    ? [
        `${provider}: configuration comes as a whole through /apisix/admin/configs, each time in place of all that was there`,
      ]
    : []
}

function inertWarning(findings: Findings): string[] {
  if (findings.inert.size === 0) return []
  return [`accepted, but without effect in this version: ${[...findings.inert].join(', ')}`]
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const child of Object.values(value)) deepFreeze(child)
  }
  return value
}
