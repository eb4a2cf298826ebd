/**
 * What the page runs, as it is sent; its hash stands in the page's policy. It builds every element by name and text, so nothing of a
 * document or an answer is ever read as markup. The key stays in memory.
 */
export const SCRIPT = String.raw`
'use strict'
let key = ''
let described

function make(tag, attributes, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes ?? {})) element.setAttribute(name, value)
  element.append(...children.filter((child) => child !== undefined))
  return element
}

function resolve(node) {
  if (!node || typeof node.$ref !== 'string') return node
  return node.$ref.slice(2).split('/').reduce((at, name) => at[name.replaceAll('~1', '/')], described)
}

/** Parts between backticks are code. */
function prose(text) {
  return text.split('\x60').map((part, index) => (index % 2 === 1 ? make('code', {}, part) : part))
}

function pretty(value) {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2)
}

async function load(event) {
  event.preventDefault()
  key = document.getElementById('key').value
  const status = document.getElementById('status')
  status.textContent = 'loading…'
  try {
    const answer = await fetch('openapi.json', { headers: key ? { 'x-api-key': key } : {} })
    const body = await answer.json()
    if (!answer.ok) throw new Error(answer.status + ' ' + (body.description ?? body.error_msg ?? ''))
    described = body
    status.textContent = ''
    show()
  } catch (error) {
    status.textContent = error.message
  }
}

function show() {
  const groups = described.tags.map((tag) => ({ ...tag, operations: [] }))
  for (const [path, item] of Object.entries(described.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      if (method === 'parameters') continue
      const group = groups.find(({ name }) => name === operation.tags[0])
      group?.operations.push({ path, method, operation, shared: item.parameters ?? [] })
    }
  }
  const links = groups.map(({ name }) => make('a', { href: '#' + name }, name))
  const sections = groups.map(({ name, description, operations }) =>
    make('section', { id: name }, make('h2', {}, name), make('p', {}, ...prose(description)), ...operations.map(operationOf)))
  document.getElementById('content').replaceChildren(make('nav', {}, ...links), ...sections)
}

function operationOf({ path, method, operation, shared }) {
  const head = make('summary', {}, make('code', { class: 'method' }, method.toUpperCase()), make('code', {}, path),
    make('span', { class: 'dim' }, ' ' + operation.summary))
  const details = make('details', {}, head)
  // Built when it is opened: all at once would be slow.
  details.addEventListener('toggle', () => {
    if (details.open && details.children.length === 1) details.append(bodyOf({ path, method, operation, shared }))
  })
  return details
}

function bodyOf({ path, method, operation, shared }) {
  const parameters = [...shared, ...operation.parameters].map(resolve)
  const [type, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? []
  const inputs = parameters.map((parameter) => ({ parameter, input: make('input', { placeholder: parameter.in }) }))
  const text = content && make('textarea', { spellcheck: 'false', 'aria-label': 'body' })
  const result = make('div', {})
  const form = make('form', {}, make('button', {}, 'Send'))
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void send({ path, method, type, inputs, text, result })
  })
  return make('div', {},
    ...(inputs.length > 0 ? [make('h3', {}, 'Parameters'), ...inputs.map(fieldOf)] : []),
    ...(content ? [make('h3', {}, 'Body (' + type + ')'), ...examplesInto(content.examples, text), text, schemaOf(content.schema)] : []),
    form, result,
    make('h3', {}, 'Answers'), ...Object.entries(operation.responses).flatMap(answerOf))
}

function fieldOf({ parameter, input }) {
  return make('label', {}, make('span', {}, make('code', {}, parameter.name + (parameter.required ? ' *' : ''))), input,
    make('span', { class: 'dim' }, ...prose(parameter.description ?? '')))
}

function examplesInto(examples, text) {
  const all = Object.values(examples ?? {})
  if (all.length === 0) return []
  text.value = pretty(all[0].value)
  return [make('div', { class: 'row' }, ...all.map(({ summary, value }) => {
    const button = make('button', { type: 'button' }, summary)
    button.addEventListener('click', () => { text.value = pretty(value) })
    return button
  }))]
}

function schemaOf(schema) {
  const shown = make('pre', {})
  const details = make('details', {}, make('summary', {}, 'Schema ', make('code', {}, schema.$ref ?? '')), shown)
  details.addEventListener('toggle', () => { shown.textContent = pretty(resolve(schema)) })
  return details
}

function answerOf([status, reference]) {
  const response = resolve(reference)
  const content = response.content?.['application/json']
  const examples = Object.values(content?.examples ?? {})
  return [make('details', {}, make('summary', {}, make('code', { class: 'method' }, status), response.description),
    make('div', {}, ...(content?.schema ? [schemaOf(content.schema)] : []),
      ...examples.flatMap(({ summary, value }) => [make('div', {}, summary), make('pre', {}, pretty(value))])))]
}

async function send({ path, method, type, inputs, text, result }) {
  const query = new URLSearchParams()
  const headers = key ? { 'x-api-key': key } : {}
  let url = path
  for (const { parameter, input } of inputs) {
    const value = input.value
    if (parameter.in === 'path') url = url.replace('{' + parameter.name + '}', value.split('/').map(encodeURIComponent).join('/'))
    else if (value !== '' && parameter.in === 'query') query.set(parameter.name, value)
    else if (value !== '') headers[parameter.name] = value
  }
  const hasBody = text !== undefined && text.value !== ''
  if (hasBody) headers['content-type'] = type
  if (query.size > 0) url += '?' + query
  result.replaceChildren(make('p', { class: 'dim' }, 'sending…'))
  try {
    const answer = await fetch(url, { method: method.toUpperCase(), headers, ...(hasBody && { body: text.value }) })
    const body = await answer.text()
    const line = [answer.status, answer.headers.get('etag') && 'etag: ' + answer.headers.get('etag')].filter(Boolean).join(' · ')
    result.replaceChildren(make('p', {}, make('code', {}, line)), make('pre', {}, readable(body)))
  } catch (error) {
    result.replaceChildren(make('p', {}, error.message))
  }
}

function readable(text) {
  try {
    return pretty(JSON.parse(text))
  } catch {
    return text
  }
}

document.getElementById('open').addEventListener('submit', load)
`
