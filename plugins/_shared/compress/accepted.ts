/** Whether an `Accept-Encoding` takes this coding: by name or by `*`, with a weight above 0 (RFC 9110 §12.5.3). */
export function isAccepted(acceptEncoding: string | undefined, coding: string): boolean {
  if (acceptEncoding === undefined) return false
  let isAnyAccepted = false
  for (const part of acceptEncoding.toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';')
    const isTaken = weightOf(parameters) > 0
    if (name.trim() === coding) return isTaken
    if (name.trim() === '*') isAnyAccepted = isTaken
  }
  return isAnyAccepted
}

/** 1 unless given; what is no weight asks for nothing. */
function weightOf(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const [name = '', value = ''] = parameter.split('=')
    if (name.trim() === 'q') return Number(value.trim() || Number.NaN) || 0
  }
  return 1
}
