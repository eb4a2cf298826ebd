import type { Link } from '../lifecycle/workers/link.ts'
import type { RegistryView } from '../registry/view.ts'

/** Which types of agents are registered at the moment. */
export interface AgentTypes {
  isKnown(type: string): boolean
}

/** What has changed, by type. */
type TypeNews = readonly (readonly [type: string, isKnown: boolean])[]

const NEWS = 'agent-types'

/** In the primary process, which has the registry: tells a worker which types there are. */
export function feedAgentTypes(
  link: Link,
  view: Pick<RegistryView, 'index' | 'isKnown' | 'subscribe'>,
): void {
  const told = new Set<string>()
  const tell = (types: Iterable<string>) => {
    const news: TypeNews = [...types]
      .filter((type) => view.isKnown(type) !== told.has(type))
      .map((type) => [type, view.isKnown(type)])
    if (news.length === 0) return
    take(told, news)
    link.tell(NEWS, news)
  }
  tell(view.index.types)
  link.onClose(view.subscribe(tell))
}

/** In a worker: what the primary has said. */
export class RelayedAgentTypes implements AgentTypes {
  readonly #known = new Set<string>()

  constructor(link: Link) {
    link.on(NEWS, (news: TypeNews) => take(this.#known, news))
  }

  isKnown(type: string): boolean {
    return this.#known.has(type)
  }
}

function take(known: Set<string>, news: TypeNews): void {
  for (const [type, isKnown] of news) {
    if (isKnown) known.add(type)
    else known.delete(type)
  }
}
