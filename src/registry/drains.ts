import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { NodeDesk } from './node-desk.ts'
import type { RegistryView } from './view.ts'

/** A gateway that did not take the request waits this much longer, so that one of them does it as a rule. */
const OTHERS_LATER_MS = 1000

/** Ends nodes whose drain is over: every gateway sees to it, for the one that was asked may be gone by then. */
export class Drains {
  readonly #view: RegistryView
  readonly #desk: Pick<NodeDesk, 'end'>
  readonly #options: { readonly clock: Clock; readonly logger: Logger }
  readonly #timers = new Map<string, () => void>()
  readonly #unsubscribe: () => void

  constructor(
    view: RegistryView,
    desk: Pick<NodeDesk, 'end'>,
    options: { readonly clock: Clock; readonly logger: Logger },
  ) {
    this.#view = view
    this.#desk = desk
    this.#options = options
    this.#unsubscribe = view.changes.subscribe((changes) => {
      for (const { type, data } of changes) if (type === 'node_status') this.#look(String(data.node_id))
    })
  }

  /** This gateway was asked to end it after so many seconds. */
  start(nodeId: string, seconds: number): void {
    this.#arm(nodeId, seconds * 1000)
  }

  close(): void {
    this.#unsubscribe()
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
  }

  #look(nodeId: string): void {
    const node = this.#view.node(nodeId)
    if (!node?.drain) {
      this.#timers.get(nodeId)?.()
      this.#timers.delete(nodeId)
      return
    }
    if (!this.#timers.has(nodeId)) this.#arm(nodeId, node.drain.drain_s * 1000 + OTHERS_LATER_MS)
  }

  #arm(nodeId: string, delayMs: number): void {
    this.#timers.get(nodeId)?.()
    const cancel = this.#options.clock.schedule(delayMs, () => void this.#end(nodeId))
    this.#timers.set(nodeId, cancel)
  }

  async #end(nodeId: string): Promise<void> {
    this.#timers.delete(nodeId)
    const node = this.#view.node(nodeId)
    if (!node) return
    try {
      await this.#desk.end(node.record)
    } catch (error) {
      this.#options.logger.warn({ err: error, node: nodeId }, 'a drained node was not removed; trying again')
      this.#arm(nodeId, OTHERS_LATER_MS)
    }
  }
}
