import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createAuditLog } from './audit-log.ts'
import { createLogger, type LogLevel } from './logger.ts'

function loggerInto(lines: string[], level: LogLevel) {
  return createLogger(level, { write: (line: string) => void lines.push(line) })
}

function fileFor(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'gatewright-audit-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return join(directory, 'deep', 'audit.log')
}

describe('the audit log', () => {
  it('is written whatever severity the log has, unless it is silent', () => {
    const written = (level: LogLevel) => {
      const lines: string[] = []
      createAuditLog('log', loggerInto(lines, level))!.write({ event: 'write' })
      return lines.length
    }
    assert.deepEqual((['debug', 'info', 'error', 'silent'] as const).map(written), [1, 1, 1, 0])
  })

  it('leaves the severity of the log as it is', () => {
    const lines: string[] = []
    const logger = loggerInto(lines, 'error')
    createAuditLog('log', logger)
    logger.info('not this')
    assert.deepEqual(lines, [])
  })

  it('goes to a file that only its owner reads, after what is there, before write returns', (t) => {
    const path = fileFor(t)
    for (const event of ['one', 'two']) {
      const log = createAuditLog(path, createLogger('silent'))!
      log.write({ event })
      const last = readFileSync(path, 'utf8').trimEnd().split('\n').at(-1)!
      assert.equal(JSON.parse(last).event, event)
    }
    assert.equal(readFileSync(path, 'utf8').trimEnd().split('\n').length, 2)
    assert.equal(statSync(path).mode & 0o777, 0o600)
  })

  it('begins a new file when that was moved away', (t) => {
    const path = fileFor(t)
    const log = createAuditLog(path, createLogger('silent'))!
    log.write({ event: 'one' })
    renameSync(path, `${path}.1`)
    log.write({ event: 'two' })
    assert.deepEqual(
      [`${path}.1`, path].map((file) => JSON.parse(readFileSync(file, 'utf8')).event),
      ['one', 'two'],
    )
  })

  it('goes among the other lines while its file cannot be written', (t) => {
    const path = fileFor(t)
    const lines: string[] = []
    const log = createAuditLog(path, loggerInto(lines, 'error'))!
    rmSync(path)
    mkdirSync(path)
    log.write({ event: 'write', actor: 'ops' })
    const [problem, kept] = lines.map((line) => JSON.parse(line))
    assert.equal(problem.err.code, 'EISDIR')
    assert.deepEqual([kept.audit, kept.event, kept.actor], [true, 'write', 'ops'])
  })

  it('throws when its file cannot be opened', () => {
    assert.throws(
      () => createAuditLog('/dev/null/audit.log', createLogger('silent')),
      /ENOTDIR|EEXIST|ENOENT/,
    )
  })

  it('is nothing when it is off', () => {
    assert.equal(createAuditLog('off', createLogger('silent')), undefined)
  })
})
