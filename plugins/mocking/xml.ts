import { ConfigError } from '../../src/plugin/api.ts'
import type { MadeUpSchema } from './made-up.ts'

const NAME = /^[A-Za-z_][\w.-]*$/
const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

/** A value as an element; the items of an array become elements of the same name. */
export function toXml(value: unknown, name: string): string {
  if (value === undefined || value === null) return ''
  if (Array.isArray(value)) return value.map((item) => toXml(item, name)).join('\n')
  return `<${name}>${contentOf(value)}</${name}>`
}

/** Throws {@link ConfigError} for a property whose name cannot be that of an element. */
export function checkElementNames(schema: MadeUpSchema): void {
  if (typeof schema !== 'object' || schema === null) return
  if (schema.items) checkElementNames(schema.items)
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    if (!NAME.test(key)) {
      throw new ConfigError(`response_schema: ${JSON.stringify(key)} cannot be the name of an XML element`)
    }
    checkElementNames(property)
  }
}

function contentOf(value: unknown): string {
  if (typeof value !== 'object') return String(value).replace(/[&<>]/g, (mark) => ESCAPES[mark]!)
  const children = Object.entries(value as object).map(([key, child]) => toXml(child, key))
  return `\n${children.filter((child) => child !== '').join('\n')}\n`
}
