// A process of its own: loads what tests of plugins use, then runs the files that it is told.
import { once } from 'node:events'
import { pathToFileURL } from 'node:url'

const told = once(process, 'message')
// Named at run time: these names exist in this process alone.
for (const name of ['gatewright/plugin', 'gatewright/testing']) await import(name)
const [files] = (await told) as [readonly string[]]
// The process ends when its tests have.
process.disconnect()
for (const file of files) await import(pathToFileURL(file).href)
