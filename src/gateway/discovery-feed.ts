import type { DiscoveredNode, DiscoveredService, Watch } from '../discovery/discoverer.ts'
import type { NameAnswer } from '../discovery/resolver.ts'
import type { Link } from '../lifecycle/workers/link.ts'
import type { NodeOrigins } from '../upstream/node-feed.ts'

/** What a worker wants to follow: a name, or a service of a type of discovery. */
interface Wanted {
  readonly id: number
  readonly name?: string
  readonly type?: string
  readonly service?: DiscoveredService
}

interface Answer {
  readonly id: number
  readonly answer?: NameAnswer
  readonly nodes?: readonly DiscoveredNode[]
  readonly isKnown?: boolean
  readonly problem?: string
}

const WATCH = 'watch'
const UNWATCH = 'unwatch'
const ANSWER = 'found'

/** In the primary process: follows names and services for a worker, beside its own; each is asked for once. */
export function answerDiscovery(link: Link, origins: NodeOrigins): void {
  const watches = new Map<number, Watch>()
  const tell = (answer: Answer) => link.tell(ANSWER, answer)
  link.on(WATCH, ({ id, name, type, service }: Wanted) => {
    const onProblem = (problem: string) => tell({ id, problem })
    watches.set(
      id,
      name === undefined
        ? origins.discovery.watch(type!, service!, {
            onNodes: (nodes, isKnown = true) => tell({ id, nodes, isKnown }),
            onProblem,
          })
        : origins.names.watch(name, { onValue: (answer) => tell({ id, answer }), onProblem }),
    )
  })
  link.on(UNWATCH, (id: number) => {
    watches.get(id)?.close()
    watches.delete(id)
  })
  link.onClose(() => {
    for (const watch of watches.values()) watch.close()
    watches.clear()
  })
}

/** In a worker: names and services as the primary finds them, so that all workers have the same nodes. */
export function relayedOrigins(link: Link): NodeOrigins {
  const listeners = new Map<number, (answer: Answer) => void>()
  let lastId = 0
  link.on(ANSWER, (answer: Answer) => listeners.get(answer.id)?.(answer))
  const watch = (wanted: Omit<Wanted, 'id'>, listener: (answer: Answer) => void): Watch => {
    const id = ++lastId
    listeners.set(id, listener)
    link.tell(WATCH, { ...wanted, id } satisfies Wanted)
    return {
      close: () => {
        if (listeners.delete(id)) link.tell(UNWATCH, id)
      },
    }
  }
  return {
    names: {
      watch: (name, listener) =>
        watch({ name }, ({ answer, problem }) => {
          if (answer) listener.onValue(answer)
          else listener.onProblem(problem!)
        }),
    },
    discovery: {
      watch: (type, service, sink) =>
        watch({ type, service }, ({ nodes, isKnown, problem }) => {
          if (nodes) sink.onNodes(nodes, isKnown)
          else sink.onProblem(problem!)
        }),
    },
  }
}
