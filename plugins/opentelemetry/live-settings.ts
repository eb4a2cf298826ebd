import type { InstanceHost } from '../../src/plugin/api.ts'
import type { Settings } from './schema.ts'

type Part = Readonly<Record<string, unknown>>

/** `plugin_attr` with the metadata over it, which changes without a recompile. */
export class LiveSettings {
  readonly #host: Pick<InstanceHost, 'attr' | 'metadata'>
  #metadata: Part | undefined
  #current: Settings | undefined

  constructor(host: Pick<InstanceHost, 'attr' | 'metadata'>) {
    this.#host = host
  }

  /** The same object as long as nothing has changed. */
  get current(): Settings {
    const metadata = this.#host.metadata()
    if (!this.#current || metadata !== this.#metadata) {
      this.#metadata = metadata
      this.#current = merged(this.#host.attr, metadata) as unknown as Settings
    }
    return this.#current
  }
}

/** Objects are joined key by key, except `resource`: whoever gives one means all of it. */
function merged(under: Part, over: Part): Part {
  const entries = Object.entries(over).map(([key, value]) => {
    const below = under[key]
    return [key, key !== 'resource' && isPart(value) && isPart(below) ? merged(below, value) : value]
  })
  return { ...under, ...Object.fromEntries(entries) }
}

function isPart(value: unknown): value is Part {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
