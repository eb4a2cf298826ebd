import type { Consumer, Route, Service } from '../model/types.ts'
import type { ConsumerView, RouteView } from '../plugin/context/request-context.ts'

/** A route and its service as they were compiled. */
export interface RouteDocuments {
  readonly route: Route
  readonly service: { readonly id: string; readonly document: Service } | undefined
}

/** A route as plugins see it. It remembers its documents, out of the reach of whoever logs it: they hold secrets. */
export class PlannedRouteView implements RouteView {
  readonly id: string
  readonly name: string | undefined
  readonly serviceId: string | undefined
  readonly serviceName: string | undefined
  readonly uri: string
  readonly host: string | undefined
  readonly #documents: RouteDocuments

  constructor(id: string, documents: RouteDocuments, host: string | undefined) {
    const { route, service } = documents
    this.id = id
    this.name = route.name
    this.serviceId = service?.id
    this.serviceName = service?.document.name
    this.uri = route.uri ?? route.uris![0]!
    this.host = host
    this.#documents = documents
  }

  /** `undefined` for a view of another make. */
  static documentsOf(view: object): RouteDocuments | undefined {
    return #documents in view ? view.#documents : undefined
  }
}

/** A consumer as plugins see it, with one of its credentials or none; see {@link PlannedRouteView}. */
export class KnownConsumerView implements ConsumerView {
  readonly name: string
  readonly groupId: string | undefined
  readonly labels: Consumer['labels']
  readonly credentialId: string | undefined
  readonly #document: Consumer

  constructor(document: Consumer, credentialId?: string) {
    const { username, group_id, labels } = document
    this.name = username
    this.groupId = group_id === undefined ? undefined : String(group_id)
    this.labels = labels
    this.credentialId = credentialId
    this.#document = document
  }

  withCredential(id: string): KnownConsumerView {
    return new KnownConsumerView(this.#document, id)
  }

  /** `undefined` for a view of another make. */
  static documentOf(view: object): Consumer | undefined {
    return #document in view ? view.#document : undefined
  }
}
