import type { FromSchema } from '../../src/plugin/api.ts'
import { sessionSchema } from './session-schema.ts'

const text = (description: string) => ({ type: 'string', description }) as const
const flag = (byDefault: boolean, description: string) =>
  ({ type: 'boolean', default: byDefault, description }) as const
const seconds = (byDefault: number, description: string) =>
  ({ type: 'integer', minimum: 0, default: byDefault, description }) as const
const unserved = (type: 'object' | 'integer', description: string) => ({ type, description }) as const

const authMethod = (of: string) =>
  ({
    type: 'string',
    enum: ['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'none'],
    default: 'client_secret_basic',
    description: `How the gateway shows the ${of} endpoint who it is.`,
  }) as const

const claimValidator = {
  type: 'object',
  description: 'Checks of claims beyond signature and time.',
  properties: {
    issuer: {
      type: 'object',
      description: 'Who may have issued a bearer token.',
      properties: {
        valid_issuers: {
          type: 'array',
          minItems: 1,
          items: { type: 'string' },
          description: 'The issuers; that of the discovery document unless given.',
        },
      },
    },
    audience: {
      type: 'object',
      description: 'For whom tokens must be meant.',
      properties: {
        claim: { type: 'string', default: 'aud', description: 'The claim that holds the audience.' },
        required: flag(false, 'Whether the claim must be there.'),
        match_with_client_id: flag(false, 'Whether `client_id` must be, or be one of, the audience.'),
      },
    },
  },
} as const

const sessionContents = {
  type: 'object',
  description: 'What the session keeps; everything unless given.',
  properties: {
    access_token: { type: 'boolean', description: 'The access token, and the refresh token with it.' },
    id_token: { type: 'boolean', description: 'The claims of the ID token.' },
    enc_id_token: { type: 'boolean', description: 'The ID token as it came, for the logout.' },
    user: { type: 'boolean', description: 'The answer of the userinfo endpoint.' },
  },
} as const

/** Configuration of openid-connect (contract §7.1). */
export const schema = {
  type: 'object',
  properties: {
    client_id: text('Id of this gateway at the provider.'),
    client_secret: text('Its secret.'),
    discovery: text("URL of the provider's discovery document."),
    scope: { ...text('Scopes that a login asks for, separated by blanks.'), default: 'openid' },
    required_scopes: {
      type: 'array',
      items: { type: 'string' },
      description: 'Scopes that a bearer token must have.',
    },
    bearer_only: flag(false, 'Whether only bearer tokens count; nobody is sent to the provider.'),
    unauth_action: {
      type: 'string',
      enum: ['auth', 'deny', 'pass'],
      default: 'auth',
      description: 'What becomes of a request without session: a login, 401, or on without identity.',
    },
    realm: {
      ...text('The realm shown in `WWW-Authenticate`.'),
      default: 'apisix',
      pattern: '^[\\x20-\\x21\\x23-\\x5b\\x5d-\\x7e]+$',
    },
    introspection_endpoint: text(
      'Where bearer tokens are asked about; that of the discovery document unless given.',
    ),
    introspection_endpoint_auth_method: authMethod('introspection'),
    introspection_interval: seconds(
      0,
      'Longest time in seconds that an answer about a token is kept, 0 for as long as the token lives.',
    ),
    introspection_expiry_claim: { ...text('Claim that says until when an answer holds.'), default: 'exp' },
    introspection_addon_headers: {
      type: 'array',
      minItems: 1,
      items: { type: 'string' },
      description: "Headers of the client's request that the introspection endpoint is sent too.",
    },
    public_key: text('Key that signs bearer tokens, PEM.'),
    use_jwks: flag(false, "Check bearer tokens with the provider's published keys."),
    token_signing_alg_values_expected: text('The one algorithm that tokens may be signed with.'),
    jwk_expires_in: { ...seconds(86_400, 'Seconds that published keys are kept.'), minimum: 1 },
    jwt_verification_cache_ignore: flag(
      false,
      'Ask about each token anew; signatures are always checked anew.',
    ),
    cache_segment: text('Of no effect: nothing is shared between configurations.'),
    iat_slack: seconds(120, 'Seconds that the clocks of gateway and provider may differ by.'),
    accept_none_alg: flag(false, 'Only `false`: tokens are signed.'),
    accept_unsupported_alg: flag(true, 'Of no effect: a signature that cannot be checked is refused.'),
    claim_validator: claimValidator,
    claim_schema: unserved('object', 'Not served.'),
    redirect_uri: text(
      'Where the provider sends people back to: a URL or a path of the same route. The path of the request with `/.apisix/redirect` unless given.',
    ),
    logout_path: { ...text('Path that ends the session.'), default: '/logout' },
    post_logout_redirect_uri: text('Where people go after the logout.'),
    revoke_tokens_on_logout: flag(false, 'Whether the logout revokes the tokens of the session.'),
    authorization_params: { type: 'object', description: 'Further parameters of the login request.' },
    use_pkce: flag(false, 'Proof that whoever redeems a code has asked for it (RFC 7636).'),
    use_nonce: flag(false, 'Tie the ID token to the login by a nonce.'),
    token_endpoint_auth_method: authMethod('token'),
    client_rsa_private_key: text('Key for `private_key_jwt`, PEM.'),
    client_rsa_private_key_id: text('Its id.'),
    client_jwt_assertion_expires_in: {
      ...seconds(60, 'Seconds that a signed proof of `private_key_jwt` and `client_secret_jwt` lives.'),
      minimum: 1,
    },
    renew_access_token_on_expiry: flag(true, 'Renew an expired access token; a session that cannot is over.'),
    access_token_expires_in: {
      ...unserved('integer', 'Life of an access token in seconds when the provider does not say it.'),
      minimum: 1,
    },
    access_token_expires_leeway: seconds(0, 'Seconds before its end that an access token is renewed.'),
    set_access_token_header: flag(true, 'Send the access token to the upstream.'),
    access_token_in_authorization_header: flag(
      false,
      'Send it as `Authorization: Bearer` instead of `X-Access-Token`.',
    ),
    set_id_token_header: flag(true, 'Send the claims of the ID token as `X-ID-Token`, JSON in base64.'),
    set_raw_id_token_header: flag(false, 'Send the ID token as it came as `X-Raw-ID-Token`.'),
    set_userinfo_header: flag(true, 'Send what is known of the user as `X-Userinfo`, JSON in base64.'),
    set_refresh_token_header: flag(false, 'Send the refresh token as `X-Refresh-Token`.'),
    session: sessionSchema,
    session_contents: sessionContents,
    timeout: {
      type: 'integer',
      minimum: 1,
      default: 3,
      description: 'Seconds for one call to the provider.',
    },
    ssl_verify: flag(true, "Whether the provider's certificate is checked."),
    refresh_session_interval: unserved('integer', 'Not served.'),
    force_reauthorize: flag(false, 'Only `false` is served.'),
    proxy_opts: unserved('object', 'Not served.'),
    par: unserved('object', 'Not served.'),
    dpop: unserved('object', 'Not served.'),
  },
  required: ['client_id', 'discovery'],
} as const

export type OpenidConnectConfig = FromSchema<typeof schema>
