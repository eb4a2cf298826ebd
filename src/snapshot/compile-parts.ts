import type { Ref } from '../model/kind.ts'
import type { PluginConfigs, Upstream as UpstreamDocument } from '../model/types.ts'
import { fingerprint, type Instance, type InstanceFactory } from '../plugin/instance.ts'
import type { ConfigPlace, PluginRegistry } from '../plugin/registry.ts'
import { resolveReferences, type Unresolved } from '../secret/resolve.ts'
import type { SecretSource } from '../secret/secret-source.ts'
import type { ClientCertificates } from '../upstream/client-certificates.ts'
import { Upstream, type UpstreamEnvironment } from '../upstream/upstream.ts'
import { nameOf } from './graph.ts'
import type { InstanceMap } from './merge.ts'
import type { Transaction } from './transaction.ts'

export interface CompileEnvironment {
  readonly plugins: PluginRegistry
  readonly instances: InstanceFactory
  readonly upstreams: UpstreamEnvironment
  readonly clientCertificates: ClientCertificates
  readonly secrets: SecretSource
}

/** What one owner's plugins are compiled from and into. */
export interface InstanceSource {
  readonly owner: Ref
  readonly plugins: PluginConfigs | undefined
  readonly place: ConfigPlace
  readonly previous: InstanceMap | undefined
}

const NO_INSTANCES: InstanceMap = new Map()

/** One instance per enabled plugin; an instance whose effective configuration did not change is kept with its state (house rule 3). */
export function compileInstances(
  source: InstanceSource,
  environment: CompileEnvironment,
  transaction: Transaction,
): InstanceMap {
  const { plugins: registry, instances } = environment
  if (!source.plugins && !source.previous?.size) return NO_INSTANCES
  const compiled = new Map<string, Instance | undefined>()
  for (const [name, config] of Object.entries(source.plugins ?? {})) {
    const prepared = registry.prepare(name, config, source.place)
    if (prepared.meta.disable === true) {
      compiled.set(name, undefined)
      continue
    }
    const { document, unresolved } = resolveReferences(prepared.config, environment.secrets)
    const opened = document === prepared.config ? prepared : { ...prepared, config: document }
    const known = source.previous?.get(name)
    const print = fingerprint(opened) + unresolved.map(({ reference }) => `\n${reference}`).join('')
    if (known && known.fingerprint === print) {
      compiled.set(name, known)
      continue
    }
    const instance =
      unresolved.length > 0
        ? instances.createBlocked(opened, source.owner, print)
        : instances.create(opened, source.owner, print)
    transaction.onFailure(() => void instances.dispose(instance))
    compiled.set(name, instance)
  }
  retireMissing(source.previous, compiled, (instance) =>
    transaction.onRetire(() => void instances.dispose(instance)),
  )
  return compiled
}

function retireMissing(
  previous: InstanceMap | undefined,
  next: InstanceMap,
  retire: (instance: Instance) => void,
): void {
  for (const [name, instance] of previous ?? []) {
    if (instance && next.get(name) !== instance) retire(instance)
  }
}

/**
 * The document with the secrets that it refers to. Throws with a reason for people when one is not to be had: a reference is never
 * taken for the secret (decision 21).
 */
export function withSecrets<T>(document: T, { secrets }: CompileEnvironment): T {
  const { document: opened, unresolved } = resolveReferences(document, secrets)
  if (unresolved.length > 0) throw new Error(unresolved.map(reasonOf).join('; '))
  return opened
}

function reasonOf({ path, reference, reason }: Unresolved): string {
  return `${path} refers to ${reference}, which has no value: ${reason}`
}

/** The upstream object of a resource: the one it had, edited; a new one; or none any more. */
export function compileUpstream(
  source: { owner: Ref; document: UpstreamDocument | undefined; previous: Upstream | undefined },
  environment: CompileEnvironment,
  transaction: Transaction,
): Upstream | undefined {
  const { owner, previous } = source
  const { upstreams } = environment
  const document = source.document && withSecrets(source.document, environment)
  if (!document) {
    if (previous) removeUpstream(previous, upstreams, transaction)
    return undefined
  }
  if (!previous) {
    const created = Upstream.create(nameOf(owner), document, upstreams)
    transaction.onFailure(() => created.dispose(upstreams))
    transaction.onCommit(() => created.start())
    return created
  }
  const edit = previous.prepare(document, upstreams)
  transaction.onFailure(edit.discard)
  transaction.onCommit(edit.publish)
  return previous
}

/** Its health checks end when the removal is published, its connections when no request can reach it any more. */
export function removeUpstream(
  upstream: Upstream,
  environment: UpstreamEnvironment,
  transaction: Transaction,
): void {
  transaction.onCommit(() => upstream.stop(environment))
  transaction.onRetire(() => upstream.dispose(environment))
}
