/** Attributes that several limits share (contract §7.3). */
export const rejectionProperties = {
  rejected_code: {
    type: 'integer',
    minimum: 200,
    maximum: 599,
    default: 503,
    description: 'Status of a refusal.',
  },
  rejected_msg: {
    type: 'string',
    minLength: 1,
    description: 'Sent as `{"error_msg": …}` with a refusal.',
  },
  allow_degradation: {
    type: 'boolean',
    default: false,
    description: 'Let requests pass when they cannot be counted.',
  },
} as const

export const keyTypeProperty = {
  type: 'string',
  enum: ['var', 'var_combination'],
  default: 'var',
  description: '`key` is the name of a variable, or a template of several.',
} as const

/** For limits that no sentinel knows. */
export const policyProperty = {
  type: 'string',
  enum: ['local', 'redis', 'redis-cluster'],
  default: 'local',
  description: 'Where the state lives: in this node, or in a redis that several nodes share.',
} as const
