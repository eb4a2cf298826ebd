/** Why a secret could not be had: a sentence for people, without any part of a secret or of what a server answered. */
export class SecretFailure extends Error {
  override readonly name = 'SecretFailure'
  /** The manager said that there is no such secret, so that a value known from before has been taken away. */
  readonly isAbsent: boolean

  constructor(reason: string, options: { readonly isAbsent?: boolean } = {}) {
    super(reason)
    this.isAbsent = options.isAbsent ?? false
  }
}
