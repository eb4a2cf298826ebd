import type { FoundConsumer } from '../../../src/plugin/api.ts'

/**
 * What a plugin derives from a consumer's configuration (parsed keys, digests), made at the consumer's first request and kept as
 * long as that configuration lives: a changed consumer has a new one. `derive` must not throw.
 */
export function oncePerConfig<Config, Derived>(
  derive: (config: Config) => Derived,
): (consumer: FoundConsumer) => Derived {
  const known = new WeakMap<object, Derived>()
  return ({ config }) => {
    if (!known.has(config)) known.set(config, derive(config as Config))
    return known.get(config) as Derived
  }
}
