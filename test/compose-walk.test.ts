import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, it } from 'node:test'
import { parse } from 'yaml'

const ROOT = resolve(import.meta.dirname, '..')
const FOLDER = 'docs/operate/compose'

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  readonly name: string
  readonly services: Readonly<Record<string, unknown>>
  readonly networks: Readonly<Record<string, unknown>>
  readonly volumes: Readonly<Record<string, unknown>>
}

describe('the walk through docker-compose.yml', () => {
  const page = read(`${FOLDER}/README.md`)

  it('names services, networks and volumes as the file does', () => {
    const { name, networks, volumes } = compose
    const words = [...page.matchAll(/`(?:docker|[a-z]+-keys)[^`]*`/g)].flatMap(([code]) =>
      code.slice(1, -1).split(' '),
    )
    const containers = words.filter((word) => word.startsWith(`${name}-`))
    for (const container of containers) {
      assert.ok(container.replace(/^\w+-(.*)-\d+$/, '$1') in compose.services, container)
    }
    assert.ok(containers.length >= 2)
    for (const word of words.filter((word) => word.startsWith(`${name}_`))) {
      assert.ok(word.slice(name.length + 1) in networks, word)
    }
    for (const word of words.filter((word) => word.endsWith('-keys'))) assert.ok(word in volumes, word)
    const commands = /docker compose (?:exec|kill|start|logs) ((?:[a-z]+(?:-\d)? ?)+)/g
    const named = [...page.matchAll(commands)].map(([, first]) => first!.split(' ')[0]!)
    assert.ok(named.length >= 5)
    for (const service of named) assert.ok(service in compose.services, service)
  })

  it('has bodies of requests that are JSON, and a route that soon gives up an address where nobody is', () => {
    const bodies = [...page.matchAll(/ -d '([^']+)'/g)].map(
      ([, body]) => JSON.parse(body!) as { upstream?: { timeout?: { connect: number } } },
    )
    assert.equal(bodies.length, 2)
    assert.ok((bodies[1]!.upstream?.timeout?.connect ?? 60) <= 1)
  })

  it('leads to a dashboard that Grafana loads, whose variables ask what is provisioned', () => {
    const dashboard = JSON.parse(read(`${FOLDER}/grafana/dashboards/gatewright.json`)) as {
      readonly uid: string
      readonly title: string
      readonly schemaVersion: number
      readonly templating: { readonly list: readonly { readonly datasource: { readonly uid: string } }[] }
    }
    assert.ok(page.includes(`127.0.0.1:3000/d/${dashboard.uid}\``))
    assert.ok(page.includes(`"${dashboard.title}"`))
    assert.ok(dashboard.schemaVersion >= 36, 'older ones name their source by its title')
    const { list } = dashboard.templating
    assert.ok(list.length > 0)
    for (const { datasource } of list) assert.equal(datasource.uid, 'prometheus')
  })
})
