import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileTemplate } from './render.ts'

const VALUES: Readonly<Record<string, unknown>> = {
  name: 'Tom & "Al"',
  n: 3,
  zero: 0,
  none: null,
  no: false,
  user: { name: 'jack', tags: ['a', 'b'] },
  items: [{ id: 1 }, { id: 2 }],
  prices: { pen: 2, ink: 5 },
  html: "<a href='/x'>",
}

function render(text: string): string {
  return compileTemplate(text).render((name) => (Object.hasOwn(VALUES, name) ? VALUES[name] : undefined))
}

const CASES: readonly (readonly [template: string, result: string])[] = [
  ['plain { "json": [1] } text', 'plain { "json": [1] } text'],
  ['{{name}}', 'Tom &amp; &quot;Al&quot;'],
  ['{*name*}', 'Tom & "Al"'],
  ['{{html}}', '&lt;a href=&#39;&#47;x&#39;&gt;'],
  ['{*_escape_json(name)*} {*_escape_json(user)*}', '"Tom & \\"Al\\"" {"name":"jack","tags":["a","b"]}'],
  ['{*_escape_xml(html)*}', '&lt;a href=&apos;/x&apos;&gt;'],
  ['{{user.name}} {{user["name"]}} {{user.tags[2]}} {{user.tags[3]}}|', 'jack jack b |'],
  ['{{missing}}|{{no}}|{{zero}}', '|false|0'],
  ['{{1 + 2 * 3}} {{(1 + 2) * 3}} {{7 % 4}} {{-7 % 4}} {{2 - 3 - 4}}', '7 9 3 1 -5'],
  ['{{"a" .. 1 .. "b"}} {{#user.tags}} {{#name}}', 'a1b 2 10'],
  ['{{n == 3 and "yes" or "no"}} {{no or "default"}} {{not no}} {{none == nil}}', 'yes default true false'],
  ['{{n > 2}} {{n <= 2}} {{"a" < "b"}} {{n ~= 3}}', 'true false true false'],
  ['{% if n == 1 then %}one{% elseif n == 3 then %}three{% else %}other{% end %}', 'three'],
  ['{% if missing then %}x{% else %}y{% end %}', 'y'],
  ['{% for i, item in ipairs(items) do %}{{i}}={{item.id}};{% end %}', '1=1;2=2;'],
  ['{% for k, v in pairs(prices) do %}{{k}}:{{v}} {% end %}', 'pen:2 ink:5 '],
  ['{% for i = 1, 3 do %}{{i}}{% end %}{% for i = 5, 1, -2 do %}{{i}}{% end %}', '123531'],
  ['{% local sum = 0 %}{% for _, item in ipairs(items) do sum = sum + item.id end %}{{sum}}', '3'],
  ['{% local a = 1 if a == 1 then %}in{% end %}', 'in'],
  ['{# a comment #}a{-raw-}{{x}}{-raw-}b', 'a{{x}}b'],
  ['{{user.name:upper()}} {{string.sub("hello", 2, -2)}} {{("x"):len()}}', 'JACK ell 1'],
  ['{{math.floor(7 / 2)}} {{math.max(1, 9, 3)}} {*table.concat(user.tags, ", ")*}', '3 9 a, b'],
  ['{{tostring(nil)}} {{tonumber("0x10")}} {{tonumber("x") or "none"}} {{type(items)}}', 'nil 16 none table'],
  ["{{'single \\'quoted\\' \\65'}} {{[[long]]}}", 'single &#39;quoted&#39; A long'],
  [
    '{"a": {*_escape_json(n)*}, "list": [{% for i, x in ipairs(items) do %}{% if i > 1 then %},{% end %}{*x.id*}{% end %}]}',
    '{"a": 3, "list": [1,2]}',
  ],
  ['{{user}}', '{&quot;name&quot;:&quot;jack&quot;,&quot;tags&quot;:[&quot;a&quot;,&quot;b&quot;]}'],
]

const UNREADABLE: readonly (readonly [template: string, problem: RegExp])[] = [
  ['{% if a then %}', /'end' expected/],
  ['{% end %}', /'end' without a block/],
  ['{% for i in x do %}{% else %}{% end %}', /'else' without an 'if'/],
  ['{% if a then %}{% else %}{% else %}{% end %}', /nothing follows 'else'/],
  ['{{a b}}', /unexpected symbol near 'b'/],
  ['{{}}', /a name expected near the end/],
  ['{{"open}}', /unfinished string/],
  ['{{a ? b}}', /unexpected symbol near '\? b'/],
  ['{% while true do %}{% end %}', /a name expected near 'while'/],
  ['{(other.html)}', /cannot include/],
  [`{{${'('.repeat(200)}1${')'.repeat(200)}}}`, /nested too deeply/],
  ['{% if a then %}'.repeat(60), /nested too deeply/],
]

const FAILING: readonly (readonly [template: string, problem: RegExp])[] = [
  ['{{missing.field}}', /attempt to index a nil value/],
  ['{{none.field}}', /attempt to index a userdata value/],
  ['{{name + 1}}', /attempt to perform arithmetic on a string value/],
  ['{{missing .. "x"}}', /attempt to concatenate a nil value/],
  ['{{n < "x"}}', /attempt to compare number with string/],
  ['{{missing()}}', /attempt to call a nil value/],
  ['{{n:upper()}}', /attempt to call method 'upper'/],
  ['{{name:gsub("a", "b")}}', /attempt to call method 'gsub'/],
  ['{% for k in n do %}{% end %}', /a loop wants pairs/],
  ['{% for i = 1, 10, 0 do %}{% end %}', /step is zero/],
  ['{% for i = 1, 1000000000 do %}x{% end %}', /more than 200000 steps/],
  ['{% local s = "xxxxxxxxxxxxxxxx" for i = 1, 60 do s = s .. s end %}', /too long/],
]

describe('a template', () => {
  for (const [template, result] of CASES) {
    it(`makes ${JSON.stringify(result)} of ${template}`, () => assert.equal(render(template), result))
  }

  for (const [template, problem] of UNREADABLE) {
    it(`is refused: ${template.slice(0, 40)}`, () => assert.throws(() => compileTemplate(template), problem))
  }

  for (const [template, problem] of FAILING) {
    it(`fails to render: ${template}`, () => assert.throws(() => render(template), problem))
  }

  it('reaches nothing but its values', () => {
    for (const name of ['constructor', '__proto__', 'process', 'globalThis', 'toString']) {
      assert.equal(render(`{{${name}}}`), '')
      assert.equal(render(`{{user.${name}}}`), '')
    }
  })
})
