import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { createContext, Script } from 'node:vm'
import { createLogger } from '../../../src/observe/logger.ts'
import { ConfigsStore } from '../../../src/store/configs-store.ts'
import { ADMIN_KEY, type Admin, startAdmin } from './start-admin.ts'

const NO_KEY = { headers: { 'x-api-key': undefined } }

function scriptOf(html: string): string {
  return /<script>([\s\S]*)<\/script>/.exec(html)![1]!
}

/** As much of an element as the page needs. Markup has no way in: there is no `innerHTML`. */
class Element {
  readonly tag: string
  readonly attributes: Record<string, string> = {}
  readonly listeners: Record<string, (event: { preventDefault(): void }) => unknown> = {}
  children: (Element | string)[] = []
  value = ''
  open = false
  constructor(tag: string) {
    this.tag = tag
  }
  setAttribute(name: string, value: string) {
    this.attributes[name] = value
  }
  append(...children: (Element | string)[]) {
    this.children.push(...children)
  }
  replaceChildren(...children: (Element | string)[]) {
    this.children = children
  }
  addEventListener(name: string, listener: () => unknown) {
    this.listeners[name] = listener
  }
  set textContent(text: string) {
    this.children = [text]
  }
  get textContent(): string {
    return this.children.map((child) => (typeof child === 'string' ? child : child.textContent)).join('')
  }
  all(tag: string): Element[] {
    const inner = this.children.filter((child) => child instanceof Element)
    return inner.flatMap((child) => [...(child.tag === tag ? [child] : []), ...child.all(tag)])
  }
  async fire(name: string) {
    await this.listeners[name]!({ preventDefault: () => undefined })
  }
}

/** The page as it stands after a key was entered. */
async function openPage(admin: Admin, key: string) {
  const ids = Object.fromEntries(['open', 'key', 'status', 'content'].map((id) => [id, new Element('div')]))
  const sent: string[] = []
  const fetch = async (url: string, { method = 'GET', headers = {}, body }: RequestInit = {}) => {
    sent.push(`${method} ${url}`)
    const path = url.replace(/^\/apisix\/admin|^(?!\/)/, (root) => (root === '' ? '/' : ''))
    const options = { headers: { 'x-api-key': undefined, ...(headers as object) }, ...(body && { body }) }
    const { status, text, headers: answered } = await admin.send(method, path, options)
    return new Response(text, { status, headers: { etag: String(answered['etag'] ?? '') } })
  }
  const document = {
    createElement: (tag: string) => new Element(tag),
    getElementById: (id: string) => ids[id],
  }
  const { text } = await admin.send('GET', '/openapi', NO_KEY)
  new Script(scriptOf(text)).runInContext(createContext({ document, fetch, URLSearchParams }))
  ids['key']!.value = key
  await ids['open']!.fire('submit')
  return { content: ids['content']!, status: ids['status']!, sent }
}

describe('the page of the admin API', () => {
  it('is shown without a key, and loads nothing from anywhere', async () => {
    const { status, text, headers } = await (await startAdmin()).send('GET', '/openapi', NO_KEY)
    assert.deepEqual([status, headers['content-type']], [200, 'text/html; charset=utf-8'])
    const hash = createHash('sha256').update(scriptOf(text)).digest('base64')
    const policy = String(headers['content-security-policy'])
    assert.ok(
      policy.startsWith(`default-src 'none'; script-src 'sha256-${hash}'; style-src 'sha256-`),
      policy,
    )
    assert.doesNotMatch(text, /https?:\/\//)
  })

  it('is for addresses that may connect only', async () => {
    const admin = await startAdmin()
    assert.equal((await admin.send('GET', '/openapi', { remoteAddress: '10.0.0.1' })).status, 403)
  })

  it('is not there where configurations come as a whole', async () => {
    const admin = await startAdmin({ store: new ConfigsStore({ logger: createLogger('silent') }) })
    assert.equal((await admin.send('GET', '/openapi')).status, 404)
  })

  it('says why it shows nothing', async () => {
    const { content, status } = await openPage(await startAdmin(), 'no-key')
    assert.equal(status.textContent, '401 wrong apikey')
    assert.equal(content.all('section').length, 0)
  })

  it('lists every group with its operations', async () => {
    const { content, status } = await openPage(await startAdmin(), ADMIN_KEY)
    assert.equal(status.textContent, '')
    const routes = content.all('section').find(({ attributes }) => attributes['id'] === 'routes')!
    const listed = routes.all('summary').map(({ textContent }) => textContent)
    assert.ok(listed.includes('PUT/apisix/admin/routes/{id} Create or replace: route'), listed.join('\n'))
  })

  it('sends what is filled in with the key', async () => {
    const admin = await startAdmin()
    const { content, sent } = await openPage(admin, ADMIN_KEY)
    const put = content
      .all('details')
      .find(({ textContent }) => textContent.startsWith('PUT/apisix/admin/upstreams/{id} '))!
    put.open = true
    await put.fire('toggle')
    const [id, isDry] = put.all('input')
    id!.value = 'a b'
    isDry!.value = 'true'
    const [form] = put.all('form')
    await form!.fire('submit')
    const deadline = Date.now() + 5000
    while (!put.textContent.includes('error_msg') && Date.now() < deadline) await new Promise(setImmediate)
    assert.deepEqual(sent, ['GET openapi.json', 'PUT /apisix/admin/upstreams/a%20b?dry_run=true'])
    assert.match(put.textContent, /400.*invalid configuration: property .* validation failed/s)
  })
})
