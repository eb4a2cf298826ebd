/**
 * A reporter for `node --test` that counts, because the runner exits with 0 even when nothing ran: one JSON document at the end,
 * `{ tests, silent }`, the number of tests that ran (suites are not tests) and the paths of the files in which none did. A test's own
 * `file` would not tell: it is where the test was declared, which for a contract suite is the suite's file.
 * JavaScript, because the runner loads its reporters before tsx is there to read TypeScript.
 *
 * @param {AsyncIterable<{ type: string, data: { name?: string, file?: string, details?: { type?: string } } }>} events
 */
export default async function* tally(events) {
  const silent = []
  let tests = 0
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    // One that broke is reported like this, too, and has failed anyway.
    if (isWholeFile(data.name)) silent.push(...(type === 'test:pass' ? [data.name] : []))
    else if (data.details?.type !== 'suite') tests += 1
  }
  yield JSON.stringify({ tests, silent })
}

/** The runner reports a file that ran no test, or that broke, as a test under the file's own path. */
function isWholeFile(name) {
  return name?.endsWith('.test.ts') ?? false
}
