import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'

interface LockedPackage {
  readonly optionalDependencies?: Record<string, string>
}

const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
  readonly packages: Record<string, LockedPackage>
}

describe('package-lock.json', () => {
  it('names the binaries of every platform, because npm ci refuses a lock file that leaves one out', () => {
    const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !lock.packages[`node_modules/${name}`] && !lock.packages[`${path}/node_modules/${name}`],
      ),
    )
    assert.deepEqual(missing, [])
  })

  it('names no registry, so that it installs from any', () => {
    assert.ok(!JSON.stringify(lock).includes('"resolved":"http'))
  })
})
