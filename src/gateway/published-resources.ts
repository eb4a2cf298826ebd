import type { PublishedResources, StoredProto, UpstreamHandle, UpstreamTarget } from '../plugin/definition.ts'
import { ownUpstream, upstreamById } from '../snapshot/plugin-upstream.ts'
import type { Publisher } from '../snapshot/publisher.ts'
import type { UpstreamEnvironment } from '../upstream/upstream.ts'

/** What plugins reach of the configuration. The publisher, which compiles them, is attached once it is built. */
export class LivePublishedResources implements PublishedResources {
  readonly #upstreams: UpstreamEnvironment
  #publisher: Publisher | undefined

  constructor(upstreams: UpstreamEnvironment) {
    this.#upstreams = upstreams
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
}
