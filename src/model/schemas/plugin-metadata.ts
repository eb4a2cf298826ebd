/** What every metadata document is; the rest is for the plugin's own `metadataSchema` to say. */
export const pluginMetadataSchema = { type: 'object' } as const
