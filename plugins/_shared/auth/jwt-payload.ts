import { requestSlot } from '../../../src/plugin/api.ts'

/** The verified claims of the request's token, when jwt-auth was told to keep them (`store_in_ctx`); not to be written to. */
export const jwtPayload = requestSlot<Readonly<Record<string, unknown>>>('jwt_auth_payload')
