export type Expression =
  | { readonly type: 'constant'; readonly value: string | number | boolean | undefined }
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'index'; readonly of: Expression; readonly key: Expression }
  | { readonly type: 'call'; readonly callee: Expression; readonly args: readonly Expression[] }
  | {
      readonly type: 'method'
      readonly of: Expression
      readonly name: string
      readonly args: readonly Expression[]
    }
  | { readonly type: 'unary'; readonly sign: string; readonly of: Expression }
  | { readonly type: 'binary'; readonly sign: string; readonly left: Expression; readonly right: Expression }

export type Part =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'output'; readonly value: Expression; readonly isEscaped: boolean }
  | { readonly type: 'set'; readonly name: string; readonly value: Expression; readonly isLocal: boolean }
  | { readonly type: 'if'; readonly branches: readonly Branch[] }
  | {
      readonly type: 'count'
      readonly name: string
      readonly from: Expression
      readonly to: Expression
      readonly step: Expression | undefined
      readonly body: readonly Part[]
    }
  | {
      readonly type: 'each'
      readonly names: readonly string[]
      readonly of: Expression
      readonly body: readonly Part[]
    }

/** `if`, `elseif`; `else` has no condition. */
export interface Branch {
  readonly when: Expression | undefined
  readonly body: readonly Part[]
}
