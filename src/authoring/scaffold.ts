import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isPluginName, NAME_RULE, PluginFolderError } from './plugin-folders.ts'

/** Makes the folder of a new plugin in `parent` and returns its path. Throws {@link PluginFolderError} when there is one already. */
export function scaffoldPlugin(name: string, parent: string): string {
  if (!isPluginName(name)) throw new PluginFolderError(`no plugin can be called "${name}"; ${NAME_RULE}`)
  const folder = join(parent, name)
  if (existsSync(folder)) throw new PluginFolderError(`${folder} exists already; take another name`)
  mkdirSync(folder, { recursive: true })
  const files = { 'index.ts': code(name), 'README.md': readme(name), [`${name}.test.ts`]: test(name) }
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text)
  return folder
}

function code(name: string): string {
  return `import { definePlugin, type FromSchema } from 'gatewright/plugin'

/** What users write under \`plugins.${name}\`: checked before it is stored, filled in with its defaults. */
const schema = {
  type: 'object',
  properties: {
    header: { type: 'string', minLength: 1, default: 'X-Hello', description: 'header of the answer' },
    message: { type: 'string', description: 'its value' },
  },
  required: ['message'],
} as const

export default definePlugin<FromSchema<typeof schema>>({
  name: '${name}',
  // Higher runs first. Authentication stands at 2400 to 2600, limits at 1000, loggers at 400.
  priority: 50,
  phases: ['access', 'headerFilter'],
  schema,
  // Once for each stored configuration, before the first request meets it. What is prepared here costs no request anything.
  compile({ header, message }, host) {
    host.logger.debug('compiled')
    return {
      // Return a reply to end the request here, nothing to let it go on.
      access(context) {
        if (context.arg('refuse') !== undefined) return { status: 403, body: { message: 'refused' } }
      },
      headerFilter(context) {
        context.response.headers.set(header, message)
      },
    }
  },
})
`
}

function readme(name: string): string {
  return `# ${name}

Says hello in a header of each answer, and refuses requests that ask for it.

\`\`\`sh
curl -X PUT http://127.0.0.1:9180/apisix/admin/routes/1 -H "X-API-KEY: $KEY" -d '
{ "uri": "/*", "plugins": { "${name}": { "message": "hi" } }, "upstream": { "nodes": { "127.0.0.1:3000": 1 } } }'
\`\`\`
`
}

function test(name: string): string {
  return `import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeUpstream, mountPlugin, refusal, startGateway } from 'gatewright/testing'
import plugin from './index.ts'

describe('${name}', () => {
  it('says hello', async () => {
    const answer = await mountPlugin(plugin, { message: 'hi' }).request()
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('x-hello'), 'hi')
  })

  it('refuses who asks for it', async () => {
    const answer = await mountPlugin(plugin, { message: 'hi' }).request({ target: '/?refuse=1' })
    assert.equal(answer.status, 403)
  })

  it('wants a message', () => {
    assert.match(refusal(plugin, {}) ?? '', /message/)
  })

  it('works in a whole gateway', async (t) => {
    const upstream = await fakeUpstream(t)
    const gateway = await startGateway(t, {}, { plugins: { '${name}': async () => ({ default: plugin }) } })
    await gateway.put('routes', '1', {
      uri: '/*',
      plugins: { '${name}': { message: 'hi' } },
      upstream: { nodes: { [upstream.address]: 1 } },
    })
    const response = await fetch(gateway.proxyUrl)
    assert.equal(response.headers.get('x-hello'), 'hi')
    assert.equal(await response.text(), 'ok')
  })
})
`
}
