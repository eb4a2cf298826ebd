/**
 * Loaded into the process of every test file: ends it with exit code 1 when it is still there after
 * GATEWRIGHT_TEST_FILE_TIMEOUT_MS, and says what kept it. The runner's own `--test-timeout` ends a file in Node 20 and 22, but
 * only a single test in Node 24, where one forgotten timer would hold the whole run for ever.
 */
const timeoutMs = Number(process.env.GATEWRIGHT_TEST_FILE_TIMEOUT_MS)

// Only the runner's children carry this; the runner itself loads the file as well and has to outlive them all.
if (process.env.NODE_TEST_CONTEXT !== undefined && timeoutMs > 0) setTimeout(endProcess, timeoutMs).unref()

function endProcess() {
  const kept = process.getActiveResourcesInfo().join(', ') || 'nothing that can be named'
  console.error(`${process.argv[1]} still runs after ${timeoutMs} ms; kept alive by: ${kept}`)
  process.exit(1)
}
