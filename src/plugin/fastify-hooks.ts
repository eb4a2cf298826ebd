import type { FastifyInstance } from 'fastify'

/** A hook that did not do what it should. */
export interface HookFailure {
  readonly hook: 'onListen' | 'preClose' | 'onClose'
  /** Absent for one of the gateway's own. */
  readonly plugin: string | undefined
  /** Milliseconds that it was waited for; absent when it failed. */
  readonly lateAfterMs?: number
  readonly error?: unknown
}

type Hook = (this: FastifyInstance, ...args: unknown[]) => unknown
type KeptHook = 'onListen' | 'preClose'

interface Kept {
  readonly name: KeptHook
  run(): Promise<void>
}

/**
 * Bounds the hooks that are added to a Fastify instance and those below it from now on. `onClose` stays with Fastify, which runs it in reverse
 * load order; `onListen` and `preClose` are kept here, because the sockets are not opened and closed by Fastify.
 */
export class BoundedHooks {
  readonly #limitMs: number
  readonly #onFailure: (failure: HookFailure) => void
  readonly #kept: Kept[] = []
  #owner: string | undefined

  constructor(app: FastifyInstance, limitMs: number, onFailure: (failure: HookFailure) => void) {
    this.#limitMs = limitMs
    this.#onFailure = onFailure
    const addHook = app.addHook as (this: FastifyInstance, name: string, hook: unknown) => FastifyInstance
    const add = (instance: FastifyInstance, name: string, hook: Hook): FastifyInstance =>
      this.#keep(instance, name, hook)
        ? instance
        : addHook.call(instance, name, name === 'onClose' ? this.#bound(name, hook, true) : hook)
    app.addHook = function (this: FastifyInstance, name: string, hook: Hook): FastifyInstance {
      return add(this, name, hook)
    } as FastifyInstance['addHook']
  }

  /** Hooks that `register` adds are those of `plugin`. */
  async ownedBy(plugin: string, register: () => PromiseLike<unknown>): Promise<void> {
    this.#owner = plugin
    try {
      await register()
    } finally {
      this.#owner = undefined
    }
  }

  /** One after the other, as they were added. Never rejects. */
  async run(name: KeptHook): Promise<void> {
    for (const kept of this.#kept) if (kept.name === name) await kept.run()
  }

  #keep(instance: FastifyInstance, name: string, hook: Hook): boolean {
    if (name !== 'onListen' && name !== 'preClose') return false
    const bounded = this.#bound(name, hook, false)
    this.#kept.push({ name, run: () => bounded(instance) })
    return true
  }

  #bound(
    name: HookFailure['hook'],
    hook: Hook,
    takesInstance: boolean,
  ): (instance: FastifyInstance) => Promise<void> {
    const plugin = this.#owner
    return async (instance) => {
      const given = takesInstance ? [instance] : []
      try {
        const isDone = await this.#withinTime(callHook(instance, hook, given))
        if (!isDone) this.#onFailure({ hook: name, plugin, lateAfterMs: this.#limitMs })
      } catch (error) {
        this.#onFailure({ hook: name, plugin, error })
      }
    }
  }

  async #withinTime(work: Promise<void>): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), this.#limitMs)
    })
    try {
      return await Promise.race([work.then(() => true), late])
    } finally {
      clearTimeout(timer)
    }
  }
}

/** A hook with one parameter more than it is given waits for its callback. */
async function callHook(instance: FastifyInstance, hook: Hook, given: readonly unknown[]): Promise<void> {
  if (hook.length <= given.length) {
    await hook.call(instance, ...given)
    return
  }
  await new Promise<void>((resolve, reject) => {
    hook.call(instance, ...given, (error?: Error | null) => (error ? reject(error) : resolve()))
  })
}
