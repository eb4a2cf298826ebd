import type { PluginConfigs } from '../model/types.ts'
import { resolveReferences } from '../secret/resolve.ts'
import type { CompiledOwner, CompileJob } from './compile-kinds.ts'
import { type CompileEnvironment, compileInstances } from './compile-parts.ts'
import type { Transaction } from './transaction.ts'
import { KnownConsumerView } from './views.ts'

/** How a consumer is recognised by one plugin, and what it says to that plugin. */
export interface AuthConfig {
  readonly plugin: string
  readonly key: string
  readonly config: Readonly<Record<string, unknown>>
}

/** A way of a consumer to identify itself that is stored apart from it. */
export interface CompiledCredential {
  readonly auth: readonly AuthConfig[]
}

export interface CompiledConsumer extends CompiledOwner {
  readonly view: KnownConsumerView
  readonly auth: readonly AuthConfig[]
}

/** Plugins with a `consumerSchema` say how the consumer is recognised; the others run for its requests (contract §6). */
export function compileConsumer(
  job: CompileJob<'consumers'>,
  environment: CompileEnvironment,
  transaction: Transaction,
): CompiledConsumer {
  const { ref, document, previous } = job
  const { auth, others } = splitAuth(document.plugins, environment)
  const instances = compileInstances(
    { owner: ref, plugins: others, place: 'consumer', previous: previous?.instances },
    environment,
    transaction,
  )
  return { instances, auth, view: new KnownConsumerView(document) }
}

/** Of a credential only what identifies the consumer counts: its plugins do not join the walk (contract §4.6). */
export function compileCredential(
  { document }: CompileJob<'credentials'>,
  environment: CompileEnvironment,
): CompiledCredential {
  return { auth: splitAuth(document.plugins, environment).auth }
}

function splitAuth(
  configs: PluginConfigs = {},
  { plugins, secrets }: CompileEnvironment,
): { auth: AuthConfig[]; others: PluginConfigs } {
  const auth: AuthConfig[] = []
  const others: PluginConfigs = {}
  for (const [name, raw] of Object.entries(configs)) {
    const consumerKey = plugins.get(name)?.consumerKey
    if (consumerKey === undefined) {
      others[name] = raw
      continue
    }
    const prepared = plugins.prepare(name, raw, 'consumer')
    if (prepared.meta.disable === true) continue
    const { document: config, unresolved } = resolveReferences(prepared.config, secrets)
    // Without its secret nobody can be recognised by it (contract §1.11); the reason stands in the log of secrets.
    if (unresolved.length > 0) continue
    auth.push({ plugin: name, key: String(config[consumerKey]), config })
  }
  return { auth, others }
}
