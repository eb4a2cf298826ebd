import type { AnyPlugin } from '../../plugin/definition.ts'
import type { Catalogue } from '../load-plugins.ts'

/**
 * The same plugins for a primary process: they check configuration, and compile nothing. Its requests are its workers', and code that ends the
 * process when it is given some configuration must not run where nobody is left to see it (reliability.md, C16).
 */
export function uncompiled(catalogue: Catalogue): Catalogue {
  return Object.fromEntries(
    Object.entries(catalogue).map(([name, load]) => [
      name,
      async () => {
        const { default: plugin } = await load()
        const checked: AnyPlugin = Object.assign(Object.create(plugin), { compile: compileNothing })
        return { default: checked }
      },
    ]),
  )
}

/** Whether it is one of those. */
export function isUncompiled({ compile }: AnyPlugin): boolean {
  return compile === compileNothing
}

function compileNothing(): object {
  return {}
}
