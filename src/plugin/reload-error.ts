/** The list of plugins cannot be taken over as it is; the text is shown to people and nothing was changed. */
export class PluginReloadError extends Error {
  override readonly name = 'PluginReloadError'
}
