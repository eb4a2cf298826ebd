import type { FastifyInstance } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import type { AnyPlugin, PluginHost } from './definition.ts'
import { BoundedHooks, type HookFailure } from './fastify-hooks.ts'
import type { InstanceFactory } from './instance.ts'

export interface MountOptions {
  /** Highest priority first: also the load order, so that closing runs from the lowest priority up. */
  readonly plugins: readonly AnyPlugin[]
  readonly instances: InstanceFactory
  /** Bound of every single hook of a stop, in ms. */
  readonly closeTimeoutMs: number
  hostFor(plugin: AnyPlugin): PluginHost
  /** Told of each hook that failed or was late; no other hook is kept from its turn by it. */
  onHookFailure(failure: HookFailure): void
}

/** The hooks that nobody else runs, because the listeners are not Fastify's own. */
export interface MountedPlugins {
  /** `onListen`: every listener is open. */
  listening(): Promise<void>
  /** `preClose`: a stop has begun, and the listeners still accept. */
  closing(): Promise<void>
}

/**
 * Mounts every enabled plugin as a Fastify plugin on the proxy instance. Fastify runs onClose hooks in reverse load order and
 * waits for each without limit (systems.md §6.1, trap 5); here each one is bounded, so that a hanging plugin starves no other.
 */
export async function mountPlugins(app: FastifyInstance, options: MountOptions): Promise<MountedPlugins> {
  const hooks = new BoundedHooks(app, options.closeTimeoutMs, options.onHookFailure)
  // Runs last: what is left then belongs to plugins that were enabled later.
  app.addHook('onClose', () => options.instances.disposeAll())
  for (const plugin of options.plugins) {
    const host = options.hostFor(plugin)
    await hooks.ownedBy(plugin.name, () =>
      app.register(
        fastifyPlugin(
          async (instance: FastifyInstance) => {
            instance.addHook('onClose', () => options.instances.disposeAll(plugin.name))
            await plugin.fastify?.(instance, host)
          },
          { name: plugin.name, fastify: '5.x' },
        ),
      ),
    )
  }
  return { listening: () => hooks.run('onListen'), closing: () => hooks.run('preClose') }
}
