import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, it } from 'node:test'
import { catalogue } from '../plugins/catalogue.ts'

const ROOT = resolve(import.meta.dirname, '..')
const SKIPPED = new Set(['node_modules', 'dist', 'data', 'coverage', '.git'])

function markdownBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : markdownBelow(path)
    return entry.name.endsWith('.md') ? [path] : []
  })
}

/** Targets of links that lie in the repository, without their `#section`. */
function linksIn(text: string): string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!.split('#')[0]!)
    .filter((target) => target !== '' && !/^[a-z]+:/.test(target))
}

const pages = markdownBelow(ROOT).map((path) => ({ path, text: readFileSync(path, 'utf8') }))
const isLinkedFrom = (page: string, target: string) =>
  linksIn(readFileSync(join(ROOT, page), 'utf8')).some(
    (link) => resolve(ROOT, dirname(page), link) === join(ROOT, target),
  )

describe('the documentation', () => {
  it('has no link to a file that is not there', () => {
    const broken = pages.flatMap(({ path, text }) =>
      linksIn(text)
        .filter((target) => !existsSync(resolve(dirname(path), target)))
        .map((target) => `${relative(ROOT, path)} → ${target}`),
    )
    assert.deepEqual(broken, [])
  })

  it('reaches every page of docs/ from its index', () => {
    const inDocs = pages.map(({ path }) => relative(ROOT, path)).filter((path) => path.startsWith('docs/'))
    const unreachable = inDocs.filter(
      (path) => path !== 'docs/README.md' && !isLinkedFrom('docs/README.md', path),
    )
    assert.deepEqual(unreachable, [])
  })

  it('lists every plugin in the index of plugins', () => {
    const missing = Object.keys(catalogue).filter(
      (name) => !isLinkedFrom('docs/plugins/README.md', `plugins/${name}/README.md`),
    )
    assert.deepEqual(missing, [])
  })

  it('shows only JSON that parses', () => {
    for (const { path, text } of pages) {
      for (const [, block, body] of text.matchAll(/```json\n([\s\S]*?)```| -d '([^']*)'/g)) {
        assert.doesNotThrow(() => JSON.parse((block ?? body)!), `${relative(ROOT, path)}: ${block ?? body}`)
      }
    }
  })
})
