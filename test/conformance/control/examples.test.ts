import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { createLogger } from '../../../src/observe/logger.ts'
import { MemoryStore } from '../../../src/store/memory-store.ts'
import type { Resources } from '../../../src/testing/start-gateway.ts'
import { type Control, send, startControl } from './start-control.ts'

interface Example {
  readonly listener: 'control' | 'status'
  readonly method: string
  readonly path: string
  readonly status: number
  readonly form: 'json' | 'text'
  readonly answer: string
}

const PAGE = readFileSync(new URL('../../../docs/reference/control-api.md', import.meta.url), 'utf8')
const EXAMPLE =
  /^```http(?<status> status)?\n(?<method>[A-Z]+) (?<path>\S+)\n```\n\n```(?<form>json|text) (?<code>\d+)\n(?<answer>[^`]*)```$/gm

function examplesOf(page: string): Example[] {
  return [...page.matchAll(EXAMPLE)].map(({ groups }) => ({
    listener: groups!['status'] ? 'status' : 'control',
    method: groups!['method']!,
    path: groups!['path']!,
    status: Number(groups!['code']),
    form: groups!['form'] as 'json' | 'text',
    answer: groups!['answer']!,
  }))
}

/** The keys at every depth and the types of what they hold; arrays by their first item. A documented key `...` allows others beside it. */
function compareShape(actual: unknown, documented: unknown, path = '$'): void {
  if (Array.isArray(documented)) {
    assert.ok(Array.isArray(actual), `${path} is an array`)
    assert.equal(actual.length > 0, documented.length > 0, `${path} is as full as documented`)
    if (documented.length > 0) compareShape(actual[0], documented[0], `${path}[0]`)
    return
  }
  assert.equal(typeof actual, typeof documented, `type of ${path}`)
  if (typeof documented !== 'object' || documented === null) return
  const { '...': more, ...named } = documented as Record<string, unknown>
  const keys = Object.keys(actual as object)
  if (more === undefined) assert.deepEqual(keys.sort(), Object.keys(named).sort(), `keys of ${path}`)
  for (const [key, value] of Object.entries(named)) {
    assert.ok(keys.includes(key), `${path}.${key} is there`)
    compareShape((actual as Record<string, unknown>)[key], value, `${path}.${key}`)
  }
}

describe('the examples of docs/reference/control-api.md', () => {
  const ends: (() => unknown)[] = []
  const examples = examplesOf(PAGE)
  let control: Control
  before(async () => {
    const resources = JSON.parse(/```json resources\n([^`]*)```/.exec(PAGE)![1]!) as Resources
    const store = new MemoryStore({ logger: createLogger('silent') })
    const cleanup = { after: (end: unknown) => void ends.unshift(end as () => unknown) }
    control = await startControl(cleanup, resources, { store, plugins: {} })
    await store.put('/apisix/routes/2', '{"uri":"/b","plugins":{"no-such-plugin":{}}}')
    await control.gateway.settled()
  })
  after(async () => {
    for (const end of ends) await end()
  })

  it('are all found: each request has an answer', () => {
    assert.equal(examples.length, PAGE.match(/^```http/gm)!.length)
  })

  for (const { listener, method, path, status, form, answer } of examples) {
    it(`${method} ${path} answers ${status} as documented`, async () => {
      const { port } = control.addresses[listener]!
      const shown = await send(`http://127.0.0.1:${port}${path}`, method)
      assert.equal(shown.status, status, shown.text)
      if (form === 'text') assert.equal(shown.text, answer.trimEnd())
      else if (status >= 400) assert.deepEqual(shown.body, JSON.parse(answer))
      else compareShape(shown.body, JSON.parse(answer))
    })
  }
})
