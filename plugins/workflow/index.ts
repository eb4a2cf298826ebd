import {
  ConfigError,
  compileExpression,
  definePlugin,
  type Expression,
  type PluginInstance,
  requestSlot,
} from '../../src/plugin/api.ts'
import { sentinelSecrets } from '../_shared/redis/schema.ts'
import { checkAction, compileAction } from './actions.ts'
import { schema, type WorkflowConfig, type WorkflowRule } from './schema.ts'

interface CompiledRule {
  readonly condition: Expression | undefined
  readonly action: PluginInstance
}

/** What was done for a request, by the instance that did it: its later phases follow. */
const taken = requestSlot<Map<object, PluginInstance>>('workflow')

/** Answers or limits requests by rules (contract §7.3). */
export default definePlugin<WorkflowConfig>({
  name: 'workflow',
  priority: 1006,
  phases: ['access', 'headerFilter', 'log'],
  schema,
  hiddenFields: sentinelSecrets.map((name) => `rules.actions.${name}`),
  check({ rules }, tools) {
    for (const rule of rules) {
      compileCase(rule)
      for (const action of rule.actions) checkAction(action, tools)
    }
  },
  compile({ rules }, host) {
    const compiled: CompiledRule[] = rules.map((rule, index) => ({
      condition: compileCase(rule),
      action: compileAction(rule.actions[0]!, host, `rules/${index}`),
    }))
    const owner = {}
    return {
      access(context) {
        const rule = compiled.find(({ condition }) => condition === undefined || condition.test(context))
        if (!rule) return undefined
        const actions = context.get(taken) ?? new Map<object, PluginInstance>()
        context.set(taken, actions.set(owner, rule.action))
        return rule.action.access?.(context)
      },
      headerFilter: (context) => context.get(taken)?.get(owner)?.headerFilter?.(context),
      log: (context) => context.get(taken)?.get(owner)?.log?.(context),
    }
  },
})

function compileCase({ case: expression }: WorkflowRule): Expression | undefined {
  if (!expression) return undefined
  try {
    return compileExpression(expression)
  } catch (error) {
    throw new ConfigError(`failed to validate the 'case' expression: ${(error as Error).message}`)
  }
}
