import { AsyncLocalStorage, createHook } from 'node:async_hooks'

/** Resources that keep working, or keep the process alive, until somebody ends them. */
const LASTING = new Set([
  'Timeout',
  'TCPWRAP',
  'TCPSERVERWRAP',
  'UDPWRAP',
  'PIPEWRAP',
  'FSEVENTWRAP',
  'PROCESSWRAP',
  'WORKER',
  'MESSAGEPORT',
])

export interface LeakWatch {
  /** Runs `act` and remembers what lasting resources it, and what it waits for, start. */
  during<T>(act: () => T): T
  /** What was started and not ended yet, by type. */
  leftovers(): string[]
  stop(): void
}

/** Watches timers, sockets, file watchers and the like; one-off work in flight is not its concern. */
export function watchLeaks(): LeakWatch {
  const alive = new Map<number, string>()
  const watched = new AsyncLocalStorage<true>()
  const hook = createHook({
    init(asyncId, type) {
      if (LASTING.has(type) && watched.getStore()) alive.set(asyncId, type)
    },
    destroy(asyncId) {
      alive.delete(asyncId)
    },
  }).enable()
  return {
    during: (act) => watched.run(true, act),
    leftovers: () => [...alive.values()],
    stop: () => void hook.disable(),
  }
}
