import type { FastifyInstance } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import type { AnyPlugin, PluginHost } from './definition.ts'
import type { InstanceFactory } from './instance.ts'

export interface MountOptions {
  /** Highest priority first: also the load order, so that closing runs from the lowest priority up. */
  readonly plugins: readonly AnyPlugin[]
  readonly instances: InstanceFactory
  /** Bound of every single onClose, in ms. */
  readonly closeTimeoutMs: number
  hostFor(plugin: AnyPlugin): PluginHost
}

/**
 * Mounts every enabled plugin as a Fastify plugin on the proxy instance. Fastify runs onClose hooks in reverse load order and
 * waits for each without limit (systems.md §6.1, trap 5); here each one is bounded, so that a hanging plugin starves no other.
 */
export async function mountPlugins(app: FastifyInstance, options: MountOptions): Promise<void> {
  boundOnClose(app, options.closeTimeoutMs)
  // Runs last: what is left then belongs to plugins that were enabled later.
  app.addHook('onClose', () => options.instances.disposeAll())
  for (const plugin of options.plugins) {
    const host = options.hostFor(plugin)
    await app.register(
      fastifyPlugin(
        async (instance: FastifyInstance) => {
          instance.addHook('onClose', () => options.instances.disposeAll(plugin.name))
          await plugin.fastify?.(instance, host)
        },
        { name: plugin.name, fastify: '5.x' },
      ),
    )
  }
}

/** From here on, every onClose hook added to `app` or to an instance below it ends within `timeoutMs`. */
function boundOnClose(app: FastifyInstance, timeoutMs: number): void {
  const addHook = app.addHook as (this: FastifyInstance, name: string, hook: unknown) => FastifyInstance
  const bounded = function (this: FastifyInstance, name: string, hook: unknown): FastifyInstance {
    if (name !== 'onClose') return addHook.call(this, name, hook)
    return addHook.call(this, name, (instance: FastifyInstance) =>
      withinTime(callHook(hook as CloseHook, instance), timeoutMs, app),
    )
  }
  app.addHook = bounded as FastifyInstance['addHook']
}

type CloseHook = (instance: FastifyInstance, done?: (error?: Error) => void) => unknown

async function callHook(hook: CloseHook, instance: FastifyInstance): Promise<void> {
  if (hook.length < 2) {
    await hook.call(instance, instance)
    return
  }
  await new Promise<void>((resolve, reject) => {
    hook.call(instance, instance, (error) => (error ? reject(error) : resolve()))
  })
}

async function withinTime(work: Promise<void>, timeoutMs: number, app: FastifyInstance): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      app.log.warn(`an onClose hook did not end within ${timeoutMs} ms and is left behind`)
      resolve()
    }, timeoutMs)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
