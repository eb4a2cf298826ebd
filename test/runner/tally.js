/**
 * A reporter for `node --test` that counts, because the runner exits with 0 even when nothing ran: one JSON document at the end,
 * `{ tests, files }`, the number of tests that ran (suites are not tests) and the absolute paths of the files they were in.
 * JavaScript, because the runner loads its reporters before tsx is there to read TypeScript.
 *
 * @param {AsyncIterable<{ type: string, data: { name?: string, file?: string, details?: { type?: string } } }>} events
 */
export default async function* tally(events) {
  const files = new Set()
  let tests = 0
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    if (data.details?.type === 'suite' || isWholeFile(data.name)) continue
    tests += 1
    if (data.file !== undefined) files.add(data.file)
  }
  yield JSON.stringify({ tests, files: [...files] })
}

/** The runner reports a file that ran no test, or that broke, as a test under the file's own path. */
function isWholeFile(name) {
  return name?.endsWith('.test.ts') ?? false
}
