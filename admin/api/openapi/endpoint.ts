import { type Answer, refuse } from '../answer.ts'
import type { Call } from '../call.ts'
import type { AdminDeps } from '../deps.ts'
import { buildOpenApi } from './document.ts'

/** GET `openapi.json`: the description with the plugins that are enabled now, made anew only when they are others. */
export function createOpenApi({ plugins, version, registry }: AdminDeps): (call: Call) => Answer {
  let made = { names: '', text: '' }
  return ({ id }) => {
    if (id !== undefined) throw refuse(404, 'not found')
    const enabled = plugins.all()
    const names = enabled.map(({ name }) => name).join()
    if (made.text === '' || made.names !== names) {
      const document = buildOpenApi({ plugins: enabled, version, hasRegistry: registry !== undefined })
      made = { names, text: `${JSON.stringify(document)}\n` }
    }
    return { status: 200, text: made.text }
  }
}
