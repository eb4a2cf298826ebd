import { definePlugin, type PluginDefinition } from '../../../src/plugin/api.ts'
import { compileFunctions } from './functions.ts'
import { compilePhases } from './phases.ts'
import { type ServerlessConfig, schema } from './schema.ts'

/** A plugin that runs functions of the configuration, before or after the others as its priority says (contract §7.4). */
export function serverless(name: string, priority: number): PluginDefinition<ServerlessConfig> {
  return definePlugin<ServerlessConfig>({
    name,
    priority,
    phases: ['rewrite', 'access', 'beforeProxy', 'headerFilter', 'bodyFilter', 'log'],
    schema,
    check: (config) => void compileFunctions(config),
    compile: (config) => compilePhases(config),
  })
}
