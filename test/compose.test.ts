import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import type { CliContext } from '../src/cli/command.ts'
import { runCli } from '../src/cli/run-cli.ts'

const ROOT = resolve(import.meta.dirname, '..')
const SETTINGS = 'docs/operate/compose/config.yaml'

interface Service {
  readonly image?: string
  readonly build?: string
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly environment?: unknown
  readonly depends_on?: Record<string, { readonly condition: string }>
  readonly healthcheck?: { readonly test: readonly string[] }
}

const compose = parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8')) as {
  readonly services: Record<string, Service>
  readonly volumes: Record<string, unknown>
}

async function runCheck(file: string): Promise<{ exitCode: number; output: string }> {
  const lines: string[] = []
  const context: CliContext = {
    env: {},
    workingDirectory: ROOT,
    print: (line) => lines.push(line),
    note: (line) => lines.push(line),
    events: new EventEmitter() as unknown as CliContext['events'],
    launch: () => Promise.reject(new Error('check launches nothing')),
  }
  const exitCode = await runCli(['check', '-c', file], context)
  return { exitCode, output: lines.join('\n') }
}

describe('docker-compose.yml', () => {
  it('starts etcd, the gateway and a sample, the gateway only once etcd is healthy', () => {
    const { etcd, gateway, sample } = compose.services
    assert.ok(etcd?.healthcheck && gateway?.build && sample?.image)
    assert.equal(gateway.depends_on?.['etcd']?.condition, 'service_healthy')
  })

  it('publishes nothing but the proxy beyond this machine', () => {
    const published = Object.values(compose.services).flatMap(({ ports }) => ports ?? [])
    assert.ok(published.includes('127.0.0.1:9180:9180'))
    assert.deepEqual(
      published.filter((port) => !port.startsWith('127.0.0.1:')),
      ['9080:9080', '9443:9443'],
    )
  })

  it('mounts what exists and declares every volume it names', () => {
    const mounts = Object.values(compose.services).flatMap(({ volumes }) => volumes ?? [])
    for (const source of mounts.map((mount) => mount.split(':')[0]!)) {
      assert.ok(source.startsWith('./') ? existsSync(join(ROOT, source)) : source in compose.volumes, source)
    }
  })

  it('holds no secret', () => {
    assert.ok(Object.values(compose.services).every(({ environment }) => environment === undefined))
    assert.doesNotMatch(readFileSync(join(ROOT, SETTINGS), 'utf8'), /admin_key|password|secret|token/i)
  })

  it('gives the gateway settings that pass its own check, with etcd as the store', async () => {
    const { exitCode, output } = await runCheck(join(ROOT, SETTINGS))
    assert.equal(exitCode, 0, output)
    assert.match(output, /deployment\.etcd\.host\S*\s+.*http:\/\/etcd:2379/)
    assert.doesNotMatch(output, /ignored/)
  })
})

describe('Dockerfile', () => {
  const lines = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').split('\n')

  it('copies only what exists and what .dockerignore lets in', () => {
    const letIn = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
    const copied = lines
      .filter((line) => /^COPY (?!--from)/.test(line))
      .flatMap((line) => line.split(' ').slice(1, -1))
      .map((path) => path.replace('./', ''))
    assert.ok(copied.length > 5)
    for (const path of copied) {
      assert.ok(existsSync(join(ROOT, path)), `${path} does not exist`)
      assert.match(letIn, new RegExp(`^!${path}$`, 'm'))
    }
  })

  it('does not run the gateway as root', () => {
    const user = lines.indexOf('USER node')
    assert.ok(user > 0 && user < lines.findIndex((line) => line.startsWith('CMD')))
  })
})
