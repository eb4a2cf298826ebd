/** A template cannot be read, or cannot be filled in. The text is for the person who wrote it. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
}
