/**
 * Loaded into the process of every test file: ends it with exit code 1 when it is still there after
 * GATEWRIGHT_TEST_FILE_TIMEOUT_MS, and says which tests were under way and what kept it, once more at the end of the file
 * GATEWRIGHT_TEST_LATE_FILE. The runner's own `--test-timeout` ends a file in Node 20 and 22, but only a single test in Node 24, where one
 * forgotten timer would hold the whole run for ever.
 */
import { appendFileSync } from 'node:fs'
import { afterEach, beforeEach } from 'node:test'

const timeoutMs = Number(process.env.GATEWRIGHT_TEST_FILE_TIMEOUT_MS)
const lateFile = process.env.GATEWRIGHT_TEST_LATE_FILE
const underWay = new Set()

// Only the runner's children carry this; the runner itself loads the file as well and has to outlive them all.
if (process.env.NODE_TEST_CONTEXT !== undefined && timeoutMs > 0) {
  beforeEach(({ name }) => underWay.add(name))
  afterEach(({ name }) => underWay.delete(name))
  setTimeout(endProcess, timeoutMs).unref()
}

function endProcess() {
  const tests = [...underWay].map((name) => `"${name}"`).join(', ') || 'none'
  const kept = process.getActiveResourcesInfo().join(', ') || 'nothing that can be named'
  const sentence = `${process.argv[1]} still runs after ${timeoutMs} ms; tests under way: ${tests}; kept alive by: ${kept}`
  console.error(sentence)
  if (lateFile) appendFileSync(lateFile, `${sentence}\n`)
  process.exit(1)
}
