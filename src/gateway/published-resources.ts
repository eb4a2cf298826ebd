import type { ConsumerView, RouteView } from '../plugin/context/request-context.ts'
import type {
  PublishedResources,
  StoredPart,
  StoredProto,
  UpstreamHandle,
  UpstreamTarget,
} from '../plugin/definition.ts'
import type { PluginRegistry } from '../plugin/registry.ts'
import { ownUpstream, upstreamById } from '../snapshot/plugin-upstream.ts'
import type { Publisher } from '../snapshot/publisher.ts'
import { KnownConsumerView, PlannedRouteView } from '../snapshot/views.ts'
import type { UpstreamEnvironment } from '../upstream/upstream.ts'
import { shownDocument } from './shown-item.ts'

/** What plugins reach of the configuration. The publisher, which compiles them, is attached once it is built. */
export class LivePublishedResources implements PublishedResources {
  readonly #upstreams: UpstreamEnvironment
  readonly #plugins: PluginRegistry
  #publisher: Publisher | undefined

  constructor(upstreams: UpstreamEnvironment, plugins: PluginRegistry) {
    this.#upstreams = upstreams
    this.#plugins = plugins
  }

  attach(publisher: Publisher): void {
    this.#publisher = publisher
  }

  openUpstream(name: string, target: UpstreamTarget, own: (release: () => void) => void): UpstreamHandle {
    if ('id' in target) return upstreamById(target.id, (id) => this.#publisher?.findUpstream(id))
    const opened = ownUpstream(name, target.document, this.#upstreams)
    own(() => opened.release())
    return opened
  }

  findProto(id: string): StoredProto | undefined {
    return this.#publisher?.graph.get('protos', id)?.value
  }

  shown(part: StoredPart, view: RouteView | ConsumerView): Readonly<Record<string, unknown>> | undefined {
    if (part === 'consumer') {
      const consumer = KnownConsumerView.documentOf(view)
      return consumer && shownDocument({ kind: 'consumers', id: consumer.username }, consumer, this.#plugins)
    }
    const { route, service } = PlannedRouteView.documentsOf(view) ?? {}
    if (part === 'service') {
      return service && shownDocument({ kind: 'services', id: service.id }, service.document, this.#plugins)
    }
    return route && shownDocument({ kind: 'routes', id: (view as RouteView).id }, route, this.#plugins)
  }
}
