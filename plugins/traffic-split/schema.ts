const weightedUpstream = {
  type: 'object',
  properties: {
    upstream_id: {
      anyOf: [
        { type: 'string', minLength: 1, maxLength: 64, pattern: '^[a-zA-Z0-9-_.]+$' },
        { type: 'integer', minimum: 1 },
      ],
      description: 'A configured upstream. Without it and `upstream`: the upstream of the route.',
    },
    upstream: {
      type: 'object',
      description: 'An upstream of its own, with the attributes of an upstream of a route.',
    },
    weight: {
      type: 'integer',
      minimum: 0,
      default: 1,
      description: 'Its share, in proportion to the weights beside it; 0 for none.',
    },
  },
} as const

/** Configuration of traffic-split (contract §7.3). */
export const schema = {
  type: 'object',
  properties: {
    rules: {
      type: 'array',
      description:
        'The first one that matches decides; without one the request goes to the upstream of the route.',
      items: {
        type: 'object',
        properties: {
          match: {
            type: 'array',
            description: 'Conditions of which one has to hold; without any the rule always matches.',
            items: {
              type: 'object',
              properties: {
                vars: { type: 'array', description: 'Expression as in `vars` of a route.' },
              },
            },
          },
          weighted_upstreams: {
            type: 'array',
            minItems: 1,
            maxItems: 20,
            items: weightedUpstream,
            default: [{ weight: 1 }],
            description: 'Where requests go, each upstream with its share.',
          },
        },
      },
    },
  },
} as const

export interface WeightedUpstream {
  readonly upstream_id?: string | number
  readonly upstream?: Readonly<Record<string, unknown>>
  readonly weight: number
}

export interface SplitRule {
  readonly match?: readonly { readonly vars?: readonly unknown[] }[]
  readonly weighted_upstreams: readonly WeightedUpstream[]
}

export interface TrafficSplitConfig {
  readonly rules?: readonly SplitRule[]
}
