import type { Headers } from '../../../src/plugin/api.ts'

/** Takes a cookie of that exact name out of what the upstream gets; the other cookies stay as they are. */
export function removeCookie(headers: Headers, name: string): void {
  const lines = headers.all('cookie')
  if (lines.length === 0) return
  const rest = lines.map((line) => withoutCookie(line, name)).filter((line) => line !== '')
  if (rest.length === 0) headers.remove('cookie')
  else headers.set('Cookie', rest)
}

function withoutCookie(line: string, name: string): string {
  return line
    .split(';')
    .filter((pair) => pair.split('=', 1)[0]?.trim() !== name)
    .join(';')
    .trim()
}
