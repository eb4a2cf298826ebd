import { type Handler, Link } from '../../src/lifecycle/workers/link.ts'
import { WorkerPool } from '../../src/lifecycle/workers/pool.ts'
import type { PoolOptions } from '../../src/lifecycle/workers/pool-options.ts'
import type { ForkedProcess } from '../../src/lifecycle/workers/worker-process.ts'
import { createLogger } from '../../src/observe/logger.ts'
import { type ChannelEnd, channelPair } from './channel-pair.ts'
import { fakeClock } from './fake-clock.ts'

/** A process that does what a worker does, as far as it is not told otherwise. */
export class FakeProcess {
  readonly link: Link
  readonly forked: ForkedProcess
  readonly heard: string[] = []
  #end: (how: string) => void = () => undefined
  #channel: ChannelEnd
  isGone = false
  cpuTicks = 0

  constructor(pid: number, answers: Readonly<Record<string, Handler>>) {
    const [near, far] = channelPair()
    this.#channel = near
    this.link = new Link(far)
    const handlers: Record<string, Handler> = {
      ping: () => true,
      prepare: () => undefined,
      listen: () => `port of ${pid}`,
      drain: () => ({ forced: 0 }),
      bye: () => this.end('exit code 0'),
      ...answers,
    }
    for (const [topic, handler] of Object.entries(handlers)) {
      this.link.on(topic, (body) => {
        this.heard.push(topic)
        return handler(body)
      })
    }
    this.forked = {
      pid,
      send: (message, done) => near.send(message, done),
      onMessage: (listener) => near.onMessage(listener),
      onClose: (listener) => near.onClose(listener),
      onExit: (listener) => {
        this.#end = listener
      },
      kill: () => this.end('SIGKILL'),
      cpuTicks: () => this.cpuTicks,
    }
  }

  end(how: string): void {
    if (this.isGone) return
    this.isGone = true
    this.#channel.close()
    this.#end(how)
  }
}

/** A pool of processes that are not there. `answersOf` says what the process of that number, from 1, does differently. */
export function fakePool(
  size: number,
  answersOf: (number: number) => Readonly<Record<string, Handler>> = () => ({}),
  observers: Pick<
    Partial<PoolOptions<string>>,
    'attach' | 'onChange' | 'onGone' | 'causesRemoved' | 'readyTimeoutMs'
  > = {},
) {
  const clock = fakeClock()
  const processes: FakeProcess[] = []
  const crashed: number[] = []
  const logged: string[] = []
  const logger = createLogger('silent')
  logger.warn = (_facts: object, text?: string) => void logged.push(text ?? '')
  /** Numbers of processes that the system has no room for. */
  const unstarted = new Set<number>()
  const pool = new WorkerPool<string>({
    size,
    clock,
    logger,
    fork: () => {
      const made = new FakeProcess(processes.length + 1, answersOf(processes.length + 1))
      processes.push(made)
      if (!unstarted.has(processes.length)) return made.forked
      setImmediate(() => made.end('not started'))
      return { ...made.forked, pid: 0 }
    },
    attach: () => undefined,
    describe: () => ({}),
    readyTimeoutMs: 30_000,
    drainMs: 5000,
    minDrainMs: 0,
    onServing: () => undefined,
    onChange: () => undefined,
    onGone: () => undefined,
    onCrash: ({ pid }) => crashed.push(pid),
    ...observers,
  })
  const serving = () => pool.serving.map(({ pid }) => pid)
  return { clock, processes, crashed, logged, unstarted, pool, serving, settle: () => turns(20) }
}

/** What is said between two ends takes turns of the event loop and no time of the fake clock. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}
