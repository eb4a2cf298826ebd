/** A `vars` expression that cannot be compiled. The message is APISIX's, without its `failed to validate …` prefix (contract §4.4). */
export class ExpressionError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ExpressionError'
  }
}
