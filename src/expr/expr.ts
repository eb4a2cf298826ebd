/** Gives the value of a request variable by name, `undefined` when it has none (contract §4.5). */
export interface VariableSource {
  var(name: string): unknown
}

/** A compiled `vars` expression (contract §4.4). Synchronous, allocation-free, never throws. */
export interface Expression {
  test(source: VariableSource): boolean
  /** The variables that it reads, as the user wrote their names; one for each rule. */
  readonly variables: readonly string[]
  /** The first rule that did not hold, in the user's own JSON, for `explain`; `undefined` when all hold. */
  firstFailure(source: VariableSource): string | undefined
}
