import { STATUS_CODES } from 'node:http'
import type { Answer } from './answer.ts'

/** A status that is all there is to say: JSON, or a small page for who asks for HTML (decisions 6). */
export function bareStatus(status: number, accept: string | undefined): Answer {
  const words = `${status} ${STATUS_CODES[status]}`
  if (!accept?.includes('text/html')) return { status, json: { error_msg: words } }
  return {
    status,
    text: `<!doctype html>\n<title>${words}</title>\n<h1>${words}</h1>\n`,
    headers: { 'content-type': 'text/html; charset=utf-8' },
  }
}
