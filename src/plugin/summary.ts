/** What is shown of a plugin; a definition is one. */
export interface SummarizedPlugin {
  readonly priority: number
  readonly schema: object
  readonly consumerSchema?: object
  readonly metadataSchema?: object
  readonly type?: string
  readonly scope?: string
}

/** The version that every plugin of APISIX's catalogue gives; ours have none of their own. */
const VERSION = 0.1

/** A plugin as `plugins?all=true` and `/v1/schema` show it, with those schemas that it has (contract §1.2 and §8.1). */
export function summarizePlugin(plugin: SummarizedPlugin): Readonly<Record<string, unknown>> {
  const { priority, schema, consumerSchema, metadataSchema, type, scope } = plugin
  return {
    version: VERSION,
    priority,
    schema,
    ...(metadataSchema && { metadata_schema: metadataSchema }),
    ...(consumerSchema && { consumer_schema: consumerSchema }),
    ...(type && { type }),
    ...(scope && { scope }),
  }
}
