/** The HTTP status of each gRPC status (contract §7.4). */
const HTTP_STATUS: Readonly<Record<string, number>> = {
  1: 499,
  2: 500,
  3: 400,
  4: 504,
  5: 404,
  6: 409,
  7: 403,
  8: 429,
  9: 400,
  10: 409,
  11: 400,
  12: 501,
  13: 500,
  14: 503,
  15: 500,
  16: 401,
}

export function httpStatusOf(grpcStatus: string): number {
  return HTTP_STATUS[grpcStatus] ?? 599
}
