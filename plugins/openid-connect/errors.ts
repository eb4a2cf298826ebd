/** A token that proves nothing. The text is shown to the client: no quotes, nothing of the token. */
export class TokenError extends Error {
  override readonly name = 'TokenError'
}

/** The provider cannot be asked, or says nothing that can be used. The text is for the log. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError'
}
