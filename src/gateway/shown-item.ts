import { isIP } from 'node:net'
import type { ControlItem, ShownKind, ShownMetadata } from '../control/control.ts'
import type { Node, PluginConfigs, Upstream } from '../model/types.ts'
import type { ConfigPlace, PluginRegistry } from '../plugin/registry.ts'
import { type EncryptionDeps, encryptDocument } from '../secret/encrypted-fields.ts'
import type { Resource } from '../snapshot/graph.ts'

/** Stands where a secret stood; references to secrets are shown, since they give nothing away. */
const MASK = '***'
const MASKING: EncryptionDeps['cipher'] = {
  writes: 'own',
  encrypt: () => MASK,
  decrypt: (text) => text,
  isUnreadable: () => false,
}

/** The parts of a document that are shown in another form than they are stored in. */
interface Parts {
  readonly plugins?: PluginConfigs
  readonly upstream?: Upstream
  readonly nodes?: Upstream['nodes']
}

/** A resource as the control API shows it (contract §8.1). What the store encrypts is masked: nobody needs a key to read this. */
export function shownItem(resource: Resource<ShownKind>, plugins: PluginRegistry): ControlItem {
  const { kind, id, key, createRevision, modRevision } = resource
  const parts = resource.value as Parts
  const { nodes, upstream } = parts
  const nodeList = nodes && listNodes(nodes)
  const upstreamNodes = upstream?.nodes && listNodes(upstream.nodes)
  const shown = {
    ...parts,
    id,
    ...(parts.plugins && { plugins: withDefaults(parts.plugins, plugins) }),
    ...(upstreamNodes && { upstream: { ...upstream, nodes: upstreamNodes } }),
    ...(nodeList && { nodes: nodeList }),
  }
  return {
    key,
    value: masked({ kind, id }, shown, plugins),
    createdIndex: createRevision,
    modifiedIndex: modRevision,
    has_domain: (nodeList ?? upstreamNodes ?? []).some(({ host }) => isName(host)),
  }
}

/** A route, service or consumer as it is shown outside of the gateway: with the defaults of its plugins, without secrets. */
export function shownDocument(
  ref: { readonly kind: 'routes' | 'services' | 'consumers'; readonly id: string },
  document: { readonly plugins?: PluginConfigs },
  plugins: PluginRegistry,
): Readonly<Record<string, unknown>> {
  const place = ref.kind === 'consumers' ? 'consumer' : 'resource'
  const configs = document.plugins && withDefaults(document.plugins, plugins, place)
  return masked(ref, { ...document, ...(configs && { plugins: configs }) }, plugins)
}

/** Metadata of a plugin as the control API shows it. */
export function shownMetadata(
  { id, value }: Resource<'plugin_metadata'>,
  plugins: PluginRegistry,
): ShownMetadata {
  const { id: _, ...fields } = value
  return { ...masked({ kind: 'plugin_metadata', id }, plugins.prepareMetadata(id, fields), plugins), id }
}

function masked<T extends object>(
  ref: { kind: string; id: string },
  document: T,
  plugins: PluginRegistry,
): T {
  const secretFieldsOf = (name: string) => plugins.get(name)?.secretFields ?? []
  const hiddenFieldsOf = (name: string) => plugins.get(name)?.hiddenFields ?? []
  return encryptDocument(ref, document, { cipher: MASKING, secretFieldsOf, hiddenFieldsOf })
}

function withDefaults(
  configs: PluginConfigs,
  plugins: PluginRegistry,
  place: ConfigPlace = 'resource',
): Record<string, unknown> {
  const shown = Object.entries(configs)
    // Which fields of an unknown one are secrets is not known either; it is only there until a reload is published.
    .filter(([name]) => plugins.get(name))
    .map(([name, stored]) => {
      const { config, meta } = plugins.prepare(name, stored, place)
      return [name, { ...config, _meta: meta }]
    })
  return Object.fromEntries(shown)
}

function listNodes(nodes: NonNullable<Upstream['nodes']>): readonly Node[] {
  return Array.isArray(nodes)
    ? nodes
    : Object.entries(nodes).map(([address, weight]) => toNode(address, weight))
}

function toNode(address: string, weight: number): Node {
  const [, host = address, port] = /^(.*?)(?::(\d+))?$/.exec(address) ?? []
  return { host, ...(port !== undefined && { port: Number(port) }), weight }
}

function isName(host: string): boolean {
  return isIP(host.replace(/^\[(.*)\]$/, '$1')) === 0
}
