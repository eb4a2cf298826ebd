import { compileTemplate, type RequestContext, variableText } from '../../../src/plugin/api.ts'

export type KeyType = 'var' | 'var_combination' | 'constant'

/**
 * Compiles what requests are counted by. A variable without a value, and a combination of which nothing has one, mean the
 * client's address (contract §7.3).
 */
export function compileKey(key: string, type: KeyType): (context: RequestContext) => string {
  if (type === 'constant') return () => key
  if (type === 'var_combination') {
    const template = compileTemplate(key)
    return (context) => template.renderResolved(context) ?? context.remoteAddr
  }
  if (key === 'remote_addr') return (context) => context.remoteAddr
  return (context) => variableText(context.var(key)) || context.remoteAddr
}
