import { ConfigError } from '../../../src/plugin/api.ts'

/** What is resolved only when the configuration is compiled: what it stands for is checked then. */
const REFERENCE = /^\$(?:secret|env):\/\//i

/** Throws {@link ConfigError} unless `text` is the absolute URL of a service, `http` or `https`. `field` is its place in the configuration. */
export function checkServiceUrl(text: string, field: string): void {
  if (REFERENCE.test(text)) return
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return
  throw new ConfigError(
    `property "${field}" is ${JSON.stringify(text)}; give a URL that begins with http:// or https://`,
  )
}
