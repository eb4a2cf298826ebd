import { createHash } from 'node:crypto'
import type { Answer } from '../answer.ts'
import { SCRIPT } from './page-script.ts'
import { STYLE } from './page-style.ts'

const HTML = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Gatewright admin API</title>
<style>${STYLE}</style>
<h1>Gatewright admin API</h1>
<form id="open">
<input id="key" type="password" placeholder="API key" aria-label="API key" autocomplete="off">
<button>Show</button>
<span id="status" class="dim" role="status"></span>
</form>
<main id="content"><p class="dim">The key is kept until this page is left. What you send is done to this gateway.</p></main>
<script>${SCRIPT}</script>
</html>
`

/** Nothing is loaded but this page, nothing runs but its script, and it talks to nobody but where it came from. */
const POLICY = [
  "default-src 'none'",
  `script-src '${hashOf(SCRIPT)}'`,
  `style-src '${hashOf(STYLE)}'`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}

/** The page that shows `openapi.json`. It holds nothing that needs a key: the document is asked for with the reader's own. */
export const OPENAPI_PAGE: Answer = {
  status: 200,
  text: HTML,
  headers: {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': POLICY,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-cache',
  },
}
