/** The style of the page; its hash stands in the page's policy. */
export const STYLE = `
:root { color-scheme: light dark; --line: #8884; --dim: #777; --mark: #2563eb }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1.5rem }
h1 { font-size: 1.4rem; margin: 0 0 .5rem }
h2 { font-size: 1.1rem; margin: 2rem 0 .25rem; border-bottom: 1px solid var(--line) }
h3 { font-size: .9rem; margin: 1rem 0 .25rem }
form, .row { display: flex; gap: .5rem; align-items: center; flex-wrap: wrap }
nav a { margin-right: .75rem }
a { color: var(--mark) }
input, textarea, select, button { font: inherit; padding: .3rem .5rem; border: 1px solid var(--line); border-radius: 4px;
  background: transparent; color: inherit }
input { min-width: 12rem }
label { display: flex; gap: .5rem; align-items: baseline; margin: .25rem 0 }
label > span { min-width: 9rem }
textarea { width: 100%; min-height: 8rem; font: 13px/1.4 ui-monospace, monospace }
button { cursor: pointer }
details { border-top: 1px solid var(--line); padding: .25rem 0 }
summary { cursor: pointer }
details > div { padding: 0 0 1rem 1rem }
code, pre { font: 13px/1.4 ui-monospace, monospace }
pre { overflow: auto; max-height: 24rem; padding: .5rem; border: 1px solid var(--line); border-radius: 4px; margin: .25rem 0 }
.method { display: inline-block; min-width: 4.5rem; font-weight: 600 }
.dim { color: var(--dim) }
`
