import { SecretFailure } from '../secret-failure.ts'
import type { ManagerConfig } from './backend.ts'

/** A text of a manager's configuration; throws when it is missing. The value itself may be secret and is never quoted. */
export function requiredText(config: ManagerConfig, key: string): string {
  const value = config[key]
  if (typeof value === 'string' && value !== '') return value
  throw new SecretFailure(`its configuration has no text in "${key}"`)
}

/** As {@link requiredText}, where nothing is needed. */
export function optionalText(config: ManagerConfig, key: string): string | undefined {
  const value = config[key]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** An http or https address without a slash at its end. */
export function requiredUrl(text: string, key: string): string {
  const protocol = URL.canParse(text) ? new URL(text).protocol : ''
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw new SecretFailure(`"${key}" is no address that starts with http:// or https://`)
  }
  return text.replace(/\/+$/, '')
}

/** Segments as they stand in a URL. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}
