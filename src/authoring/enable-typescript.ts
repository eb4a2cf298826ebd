import { register } from 'node:module'

const OWN_MODULES = {
  'gatewright/plugin': '../plugin/api',
  'gatewright/testing': '../testing/index',
} as const

/** Sources that run as they are are TypeScript themselves, and whoever runs them can read more of it. */
const IS_BUILT = import.meta.url.endsWith('.js')

/**
 * From here on this process imports TypeScript without a build, and `gatewright/plugin` and `gatewright/testing` lead to the modules
 * that it runs itself, wherever the importing file lies: a plugin must meet the same classes as the gateway. Call it once.
 */
export async function enableTypeScript(): Promise<void> {
  if (IS_BUILT) {
    const tsx = await import('tsx/esm/api')
    tsx.register()
  }
  register(hooksFor(ownUrls()))
}

function ownUrls(): Readonly<Record<string, string>> {
  const extension = IS_BUILT ? '.js' : '.ts'
  return Object.fromEntries(
    Object.entries(OWN_MODULES).map(([name, path]) => [
      name,
      new URL(path + extension, import.meta.url).href,
    ]),
  )
}

/**
 * As a data URL: the thread that runs hooks reads no TypeScript. A plugin is an ES module whatever the `type` of the package.json above
 * it: what `npm init` makes says `commonjs` or nothing, and with that what is in TypeScript could import nothing of the gateway.
 */
function hooksFor(urls: Readonly<Record<string, string>>): string {
  const source = `
    const urls = new Map(Object.entries(${JSON.stringify(urls)}))
    export async function resolve(specifier, context, next) {
      const found = await next(urls.get(specifier) ?? specifier, context)
      const isOwn = /[.]ts([?]|$)/.test(found.url) && !found.url.includes('/node_modules/')
      return isOwn ? { ...found, format: 'module' } : found
    }`
  return `data:text/javascript,${encodeURIComponent(source)}`
}
