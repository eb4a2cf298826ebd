/** Configuration of workflow (contract §7.3). */
export const schema = {
  type: 'object',
  properties: {
    rules: {
      type: 'array',
      description: 'The first one that matches decides; without one the request goes on.',
      items: {
        type: 'object',
        properties: {
          case: {
            type: 'array',
            minItems: 1,
            description: 'Expression as in `vars` of a route; without one the rule always matches.',
          },
          actions: {
            type: 'array',
            minItems: 1,
            items: { type: 'array', minItems: 1 },
            description:
              'Name and configuration of what is done: `return`, `limit-count` or `limit-conn`. Only the first one is.',
          },
        },
        required: ['actions'],
      },
    },
  },
  required: ['rules'],
} as const

export interface WorkflowRule {
  readonly case?: readonly unknown[]
  readonly actions: readonly (readonly unknown[])[]
}

export interface WorkflowConfig {
  readonly rules: readonly WorkflowRule[]
}
