import assert from 'node:assert/strict'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { byteSeal } from '../../secret/gcm.ts'
import { Generations, type GenerationsOptions } from './generations.ts'

const KEY = Buffer.alloc(32, 7)
const SECRET = 'a-private-key-of-someone'

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'gatewright-last-good-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function generations(directory: string, options: Partial<GenerationsOptions> = {}): Generations {
  return new Generations({ directory, seal: byteSeal(KEY), store: 'etcd', prefix: '/apisix', ...options })
}

async function saveTwo(directory: string): Promise<void> {
  const saving = generations(directory)
  await saving.save({ revision: 1, savedAtMs: 10 }, ['old', SECRET])
  await saving.save({ revision: 2, savedAtMs: 20, source: '77' }, ['new', SECRET])
}

/** What is loaded after `damage` was done to the newest file. */
async function loadAfter(t: TestContext, damage: (path: string) => void) {
  const directory = folder(t)
  await saveTwo(directory)
  damage(join(directory, 'current'))
  const loading = generations(directory)
  return { directory, loading, ...(await loading.load()) }
}

function rewrite(change: (file: Buffer) => Buffer): (path: string) => void {
  return (path) => writeFileSync(path, change(readFileSync(path)))
}

describe('the generations of the last good configuration', () => {
  it('come back as they were saved, the newest first', async (t) => {
    const directory = folder(t)
    await saveTwo(directory)
    const { saved, unusable } = await generations(directory).load()
    assert.deepEqual(saved, {
      head: { store: 'etcd', prefix: '/apisix', revision: 2, savedAtMs: 20, source: '77' },
      generation: 'current',
      lines: ['new', SECRET],
    })
    assert.deepEqual(unusable, [])
  })

  it('are nothing, and no problem, where nothing was saved', async (t) => {
    assert.deepEqual(await generations(join(folder(t), 'missing')).load(), { unusable: [] })
  })

  it('keep everything but their heads from who reads the disk, and are their owner’s alone', async (t) => {
    const directory = folder(t)
    await saveTwo(directory)
    assert.deepEqual(readdirSync(directory).sort(), ['current', 'previous'])
    for (const name of readdirSync(directory)) {
      assert.ok(!readFileSync(join(directory, name)).includes(SECRET))
      assert.equal(statSync(join(directory, name)).mode & 0o077, 0)
    }
  })

  const damages: Record<string, [damage: (path: string) => void, why: string]> = {
    'one that was changed in the middle': [
      rewrite((file) => {
        file[file.length - 20]! ^= 1
        return file
      }),
      'damaged',
    ],
    'one whose head was changed': [
      rewrite((file) =>
        Buffer.from(file.toString('latin1').replace('"revision":2', '"revision":9'), 'latin1'),
      ),
      'damaged',
    ],
    'one that was cut off': [rewrite((file) => file.subarray(0, file.length - 5)), 'damaged'],
    'one that was cut off in its head': [rewrite((file) => file.subarray(0, 50)), 'damaged'],
    'an empty one': [rewrite(() => Buffer.alloc(0)), 'damaged'],
    'another file altogether': [rewrite(() => Buffer.alloc(1000, 255)), 'damaged'],
    'one of a version to come': [
      rewrite((file) => Buffer.from(file.toString('latin1').replace('"format":1', '"format":2'), 'latin1')),
      'future',
    ],
    'a folder in its place': [
      (path) => {
        rmSync(path)
        mkdirSync(path)
      },
      'unreadable',
    ],
  }
  for (const [what, [damage, why]] of Object.entries(damages)) {
    it(`have the older one in place of ${what}`, async (t) => {
      const { saved, unusable } = await loadAfter(t, damage)
      assert.deepEqual(
        [saved?.generation, saved?.head.revision, saved?.lines],
        ['previous', 1, ['old', SECRET]],
      )
      assert.deepEqual(
        unusable.map((one) => [one.generation, one.why]),
        [['current', why]],
      )
      assert.ok(!unusable[0]!.reason.includes(SECRET))
    })
  }

  it('are none when both are damaged, each named', async (t) => {
    const directory = folder(t)
    await saveTwo(directory)
    for (const name of ['current', 'previous']) writeFileSync(join(directory, name), 'x')
    const { saved, unusable } = await generations(directory).load()
    assert.equal(saved, undefined)
    assert.deepEqual(
      unusable.map(({ generation }) => generation),
      ['current', 'previous'],
    )
  })

  it('are not opened with another key, nor for another store or prefix', async (t) => {
    const directory = folder(t)
    await saveTwo(directory)
    for (const [options, why] of [
      [{ seal: byteSeal(Buffer.alloc(32, 8)) }, 'other-key'],
      [{ store: 'configs' }, 'other-store'],
      [{ prefix: '/other' }, 'other-store'],
    ] as const) {
      const { saved, unusable } = await generations(directory, options).load()
      assert.equal(saved, undefined)
      assert.deepEqual(new Set(unusable.map((one) => one.why)), new Set([why]))
    }
  })

  it('never put a damaged one in the older one’s place', async (t) => {
    const { directory, loading } = await loadAfter(
      t,
      rewrite((file) => file.subarray(0, 100)),
    )
    await loading.save({ revision: 3, savedAtMs: 30 }, ['newest'])
    rmSync(join(directory, 'current'))
    const { saved } = await generations(directory).load()
    assert.deepEqual([saved?.generation, saved?.head.revision], ['previous', 1])
  })

  it('are as they were when a save fails, with nothing left behind', async (t) => {
    const directory = folder(t)
    await saveTwo(directory)
    const broken = function* () {
      yield 'x'.repeat(1024 * 1024)
      throw new Error('no more')
    }
    await assert.rejects(generations(directory).save({ revision: 3, savedAtMs: 30 }, broken()), /no more/)
    assert.deepEqual(readdirSync(directory).sort(), ['current', 'previous'])
    const { saved } = await generations(directory).load()
    assert.equal(saved?.head.revision, 2)
  })

  it('cannot be saved where the folder cannot be, and say so', async (t) => {
    const file = join(folder(t), 'file')
    writeFileSync(file, '')
    await assert.rejects(generations(join(file, 'x')).save({ revision: 1, savedAtMs: 1 }, []), /ENOTDIR/)
  })

  it('take many lines, longer and shorter than what is written at once', async (t) => {
    const directory = folder(t)
    const lines = Array.from({ length: 3000 }, (_, i) => `${i} ${'é'.repeat(i % 700)}`)
    await generations(directory).save({ revision: 1, savedAtMs: 1 }, lines)
    assert.deepEqual((await generations(directory).load()).saved?.lines, lines)
  })

  it('are whole when two processes save into the same folder, whatever numbers these have', async (t) => {
    const directory = folder(t)
    await saveTwo(directory)
    const lines = Array.from({ length: 20_000 }, (_, i) => `${i} ${'x'.repeat(100)}`)
    for (let revision = 10; revision < 20; revision += 2) {
      // Processes in containers all have the number 1; these two have the same one, too.
      await Promise.all([
        generations(directory).save({ revision, savedAtMs: 1 }, lines),
        generations(directory).save({ revision: revision + 1, savedAtMs: 1 }, lines),
      ])
      const { saved, unusable } = await generations(directory).load()
      assert.deepEqual([saved?.lines.length, unusable], [lines.length, []])
    }
    assert.deepEqual(readdirSync(directory).sort(), ['current', 'previous'])
  })

  it('are rid of what a save left that was killed, and not of one that is being made', async (t) => {
    const directory = folder(t)
    await saveTwo(directory)
    for (const name of ['draft.77', 'draft.78.abc', 'draft.79.def']) writeFileSync(join(directory, name), 'x')
    const before = new Date(Date.now() - 3_600_000)
    for (const name of ['draft.77', 'draft.78.abc']) utimesSync(join(directory, name), before, before)
    const { saved } = await generations(directory).load()
    assert.equal(saved?.head.revision, 2)
    assert.deepEqual(readdirSync(directory).sort(), ['current', 'draft.79.def', 'previous'])
  })

  it('are not saved through a link that somebody put there', async (t) => {
    const directory = folder(t)
    const elsewhere = join(folder(t), 'elsewhere')
    writeFileSync(elsewhere, 'of somebody')
    for (const name of ['current', 'previous', `draft.${process.pid}`])
      symlinkSync(elsewhere, join(directory, name))
    await saveTwo(directory)
    assert.equal(readFileSync(elsewhere, 'utf8'), 'of somebody')
    assert.equal((await generations(directory).load()).saved?.head.revision, 2)
  })

  it('are damaged when the last line does not end', async (t) => {
    const directory = folder(t)
    const head = Buffer.from(
      'gatewright last good configuration\n' +
        `${JSON.stringify({ format: 1, keyId: byteSeal(KEY).keyId, store: 'etcd', prefix: '/apisix', revision: 1, savedAtMs: 1 })}\n`,
    )
    const sealing = byteSeal(KEY).begin(head)
    writeFileSync(
      join(directory, 'current'),
      Buffer.concat([head, sealing.add(Buffer.from('one\ntwo')), sealing.end()]),
    )
    const { saved, unusable } = await generations(directory).load()
    assert.deepEqual([saved, unusable.map(({ why }) => why)], [undefined, ['damaged']])
  })
})
