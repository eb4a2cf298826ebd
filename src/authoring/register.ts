// For `node --import`: lets a process run the tests of a plugin as they are.
import { enableTypeScript } from './enable-typescript.ts'

await enableTypeScript()
