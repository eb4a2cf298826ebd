#!/usr/bin/env node
import { existsSync } from 'node:fs'

const main = new URL('../dist/src/main.js', import.meta.url)
if (existsSync(main)) {
  await import(main.href)
} else {
  console.error('gatewright is not built; run "npm ci && npm run build" in its folder first')
  process.exitCode = 1
}
