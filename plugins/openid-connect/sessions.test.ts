import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { definePlugin, type RequestContext } from '../../src/plugin/api.ts'
import { mountPlugin } from '../../src/testing/mount-plugin.ts'
import { type RunningRedis, startRedis } from '../../test/support/redis.ts'
import type { OpenidConnectConfig } from './schema.ts'
import type { Session } from './session.ts'
import { Sessions } from './sessions.ts'

type Step = (context: RequestContext, sessions: Sessions) => Promise<string[]>

/** Requests of one browser after another that each do one step with the sessions of one configuration. */
function browserAt(redis: RunningRedis, prefix: string) {
  const steps: Step[] = []
  const probe = definePlugin<Record<string, unknown>>({
    name: 'probe',
    priority: 1,
    schema: { type: 'object' },
    compile(config, host) {
      const sessions = new Sessions(config as unknown as OpenidConnectConfig, host)
      return {
        async rewrite(context) {
          return { status: 200, headers: { 'Set-Cookie': await steps.shift()!(context, sessions) } }
        },
      }
    },
  })
  const { host, port } = redis
  const where = { host, port, database: 0, prefix, connect_timeout: 5000, read_timeout: 5000 }
  const limits = { idling_timeout: 900, rolling_timeout: 3600, absolute_timeout: 86_400 }
  const attributes = {
    cookie_name: 'session',
    cookie_path: '/',
    cookie_same_site: 'Lax',
    cookie_http_only: true,
  }
  const session = {
    secret: 'a secret of many letters',
    storage: 'redis',
    redis: where,
    ...limits,
    ...attributes,
  }
  const plugin = mountPlugin(probe, { discovery: 'http://idp.test', client_id: 'gateway', session })
  let cookie = ''
  return {
    plugin,
    /** The cookies that the step sets. What a login sets, all later requests show. */
    async run(step: Step): Promise<string[]> {
      steps.push(step)
      const { headers } = await plugin.request({ headers: cookie === '' ? {} : { Cookie: cookie } })
      const lines = headers.all('set-cookie')
      if (cookie === '') cookie = lines[0]!.split(';', 1)[0]!
      return lines
    },
    /** Redis's own view: how many sessions there are. */
    count: async () => ((await redis.command('KEYS', `${prefix}:*`)) as string[]).length,
  }
}

/** A step that stands still, once it has read the session, until it is released. */
function paused(act: (context: RequestContext, sessions: Sessions, session: Session) => Promise<string[]>) {
  let arrive: () => void
  let release: () => void = () => undefined
  const reached = new Promise<void>((resolve) => {
    arrive = resolve
  })
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const step: Step = async (context, sessions) => {
    const session = await sessions.load(context)
    arrive()
    await released
    return act(context, sessions, session!)
  }
  return { step, reached, release }
}

const logIn =
  (plugin: { readonly clock: { now(): number } }): Step =>
  (context, sessions) => {
    const now = plugin.clock.now()
    return sessions.save(context, { createdAt: now, seenAt: now, accessToken: 'first' }, 'new')
  }
const logOut: Step = (context, sessions) => sessions.drop(context)
const note = (context: RequestContext, sessions: Sessions, session: Session) =>
  sessions.noteUse(context, session)
const renew = (context: RequestContext, sessions: Sessions, session: Session) =>
  sessions.save(context, { ...session, accessToken: 'second' }, 'renewed')

describe('a session in redis', () => {
  const server = startRedis({ after })
  it('has its last use noted', async () => {
    const browser = browserAt(await server, 'noted')
    await browser.run(logIn(browser.plugin))
    browser.plugin.advance(61_000)
    const seen: (number | undefined)[] = []
    const look: Step = async (context, sessions) => {
      const session = await sessions.load(context)
      seen.push(session?.seenAt)
      return sessions.noteUse(context, session!)
    }
    assert.equal((await browser.run(look)).length, 1)
    assert.equal((await browser.run(look)).length, 0)
    assert.equal(seen[1]! - seen[0]!, 61_000)
  })

  for (const [what, act] of [
    ['its last use is noted', note],
    ['its tokens are renewed', renew],
  ] as const) {
    it(`that is ended while ${what} stays ended`, async () => {
      const browser = browserAt(await server, `ended-${act.name}`)
      await browser.run(logIn(browser.plugin))
      browser.plugin.advance(61_000)
      const { step, reached, release } = paused(act)
      const late = browser.run(step)
      await reached
      await browser.run(logOut)
      assert.equal(await browser.count(), 0)
      release()
      assert.deepEqual(await late, [])
      assert.equal(await browser.count(), 0)
    })
  }

  it('keeps the tokens that are renewed while its last use is noted', async () => {
    const browser = browserAt(await server, 'renewed')
    await browser.run(logIn(browser.plugin))
    browser.plugin.advance(61_000)
    const { step, reached, release } = paused(note)
    const late = browser.run(step)
    await reached
    await browser.run(async (context, sessions) => renew(context, sessions, (await sessions.load(context))!))
    release()
    await late
    let token: string | undefined
    await browser.run(async (context, sessions) => {
      token = (await sessions.load(context))?.accessToken
      return []
    })
    assert.equal(token, 'second')
  })
})
