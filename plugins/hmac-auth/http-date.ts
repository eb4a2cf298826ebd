const IMF_FIXDATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/
const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec'

/** Milliseconds since the epoch of `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7); `undefined` for what is no such date. */
export function parseHttpDate(text: string): number | undefined {
  const match = IMF_FIXDATE.exec(text)
  if (!match) return undefined
  const [day, year, hour, minute, second] = [1, 3, 4, 5, 6].map((i) => Number(match[i]))
  const time = Date.UTC(year!, MONTHS.indexOf(match[2]!) / 3, day, hour, minute, second)
  // A day or an hour that does not exist moves on to the next one.
  return new Date(time).toUTCString() === text ? time : undefined
}
