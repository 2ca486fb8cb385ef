import { describe, expect, test } from 'vitest'
import { codes, directives, host, location } from '../../tests/support/lint.ts'

const content = (source: string) => directives({ content_by_lua_block: `{ ${source} }` })
const found = (source: string) => codes(content(source)).map((line) => line.split(' ')[0])

describe('open_redirect', () => {
  test.each([
    'ngx.redirect(ngx.var.arg_to)',
    'return ngx.redirect(ngx.var["arg_to"], 302)',
    'ngx.redirect("//" .. ngx.var.arg_to)',
    'ngx.redirect("/" .. ngx.unescape_uri(ngx.var.arg_to))',
    "ngx.redirect('https://' .. ngx.req.get_uri_args().host .. '/x')",
    'ngx.redirect(ngx.req.get_uri_args()["to"] or "/")',
    'local args = ngx.req.get_uri_args()\nif args.to then ngx.redirect(args.to) end',
    'local args, err = ngx.req.get_post_args() ngx.redirect(args["to"])',
    'local to = ngx.var.arg_to if not to or to == nil then return ngx.exit(400) end ngx.log(ngx.INFO, to) ngx.redirect(to)',
  ])('%s', (source) => {
    expect(found(source)).toEqual(['open_redirect'])
  })

  test.each([
    ['a path of its own', 'ngx.redirect("/x?to=" .. ngx.var.arg_to)'],
    ['another site of its own', 'ngx.redirect("https://a.test/" .. ngx.var.arg_to)'],
    ['the same place', 'ngx.redirect("https://" .. ngx.var.host .. ngx.var.request_uri)'],
    ['what a function makes of it', 'ngx.redirect(allowed(ngx.var.arg_to))'],
    ['a value that is compared', 'if ngx.var.arg_to == "/a" then ngx.redirect(ngx.var.arg_to) end'],
    ['a value that is looked up', 'local to = ngx.var.arg_to if known[to] then ngx.redirect(to) end'],
    ['a value that is matched', 'local a = ngx.req.get_uri_args() if a.to:match("^/%w") then ngx.redirect(a.to) end'],
    ['a value that a function gets', 'local to = ngx.var.arg_to check(known, to) ngx.redirect(to)'],
    ['arguments that are checked elsewhere', 'local a = ngx.req.get_uri_args() check(a) ngx.redirect(a.to)'],
    ['a name that is given another value', 'local to = ngx.var.arg_to to = "/" ngx.redirect(to)'],
    ['what the client alone says', 'ngx.redirect(ngx.var.http_referer)'],
    ['a comment', '-- ngx.redirect(ngx.var.arg_to)\nngx.exit(204)'],
    ['a text', 'ngx.say([[ ngx.redirect(ngx.var.arg_to) ]])'],
    ['a condition', 'ngx.redirect(ok and ngx.var.arg_to or "/")'],
    ['its own function', 'local function redirect(to) end redirect(ngx.var.arg_to) self.ngx.redirect(ngx.var.arg_to)'],
  ])('not %s', (_, source) => {
    expect(found(source)).toEqual([])
  })
})

test('internal_location', () => {
  for (const source of [
    'ngx.exec(ngx.var.arg_to)',
    'ngx.exec("/" .. ngx.req.get_headers()["X-To"])',
    'local r = ngx.location.capture(ngx.var.http_x_to, { method = ngx.HTTP_GET })',
  ])
    expect(found(source), source).toEqual(['internal_location'])
  for (const source of [
    'ngx.exec("@named", ngx.var.args)',
    'ngx.exec("/in/" .. ngx.var.arg_a)',
    'ngx.exec(ngx.var.uri)',
    'ngx.exec(ngx.req.get_headers().host)',
  ])
    expect(found(source), source).toEqual([])
})

test('code_injection', () => {
  for (const source of [
    'load(ngx.var.arg_code)()',
    'loadstring("return " .. ngx.req.get_uri_args().code)()',
    'ngx.req.read_body() local f = loadstring(ngx.unescape_uri(ngx.var.request_body))',
  ])
    expect(found(source), source).toEqual(['code_injection'])
  expect(found('os.execute("ping " .. ngx.var.arg_host)')).toEqual(['code_injection', 'blocking_lua'])
  for (const source of ['load("return 1")()', 'cache.load(ngx.var.arg_a)', 'o:load(ngx.var.arg_a)', 'load(safe(ngx.var.arg_a))'])
    expect(found(source), source).toEqual([])
})

test('cross_site_scripting', () => {
  for (const source of [
    'ngx.say("<h1>Hello ", ngx.req.get_uri_args().name, "</h1>")',
    'ngx.print("<b>" .. ngx.unescape_uri(ngx.var.arg_name) .. "</b>")',
    'local a = ngx.req.get_post_args() ngx.say("<p>" .. a.text)',
  ])
    expect(found(source), source).toEqual(['cross_site_scripting'])
  for (const source of [
    'ngx.say("Hello ", ngx.req.get_uri_args().name)',
    'ngx.say("<h1>", ngx.var.arg_name)',
    'ngx.say("<h1>", escape(ngx.req.get_uri_args().name))',
    'ngx.say("<h1>", ngx.req.get_headers()["X-A"])',
    'ngx.say("a < b", ngx.req.get_uri_args().name)',
  ])
    expect(found(source), source).toEqual([])
})

describe('blocking_lua', () => {
  test.each(['os.execute("x")', 'local f = io.popen("x")', 'local http = require "socket.http"', 'require("luasql.postgres")'])(
    '%s',
    (source) => {
      expect(found(source)).toEqual(['blocking_lua'])
    },
  )

  test.each(['local http = require "resty.http"', 'os.time()', 'io.open("x")', 'require(name)', 'local os = { execute = 1 }'])(
    'not %s',
    (source) => {
      expect(found(source)).toEqual([])
    },
  )

  test('not before requests come, and once for each thing', () => {
    const settings = {
      nginx_directives: { init_by_lua_block: '{ os.execute("x") }', log_by_lua_block: '{ os.execute("x") os.execute("y") }' },
    }
    expect(codes({ settings })).toEqual(['blocking_lua nginx_directives.log_by_lua_block'])
  })
})

test('lua_code_cache', () => {
  expect(codes({ settings: { nginx_directives: { lua_code_cache: 'off' } } })).toEqual(['lua_code_cache nginx_directives.lua_code_cache'])
  expect(codes(directives({ lua_code_cache: 'on' }))).toEqual([])
  expect(codes({ settings: { extra_directives: ['lua_code_cache off'] } })).toEqual(['lua_code_cache extra_directives.0'])
})

test('Lua is read wherever it stands', () => {
  const bad = 'ngx.redirect(ngx.var.arg_to)'
  expect(codes({ virtual_hosts: [host({ custom_directives: { rewrite_by_lua: `'${bad}'` } })] })).toEqual([
    'open_redirect custom_directives.rewrite_by_lua',
  ])
  expect(codes({ settings: { extra_directives: [`access_by_lua_block { ${bad} }`] } })).toEqual(['open_redirect extra_directives.0'])
  const extra_directives = ['deny all', `location /in { location /in/ner { content_by_lua_block { ${bad} } } }`]
  expect(codes(location({ extra_directives }))).toEqual(['open_redirect locations.0.extra_directives.1'])
  expect(codes(directives({ set_by_lua: `$a 'os.execute("x")' $b` }))).toEqual(['blocking_lua locations.0.custom_directives.set_by_lua'])
})

test('Lua that opens brackets without end is read once, not once for each', () => {
  for (const piece of ['ngx.say(', 'ngx.redirect(ngx.var.arg_a .. ', '"\\', 'local a = ngx.var.arg_a '])
    expect(codes({ settings: { extra_directives: [`init_by_lua_block { ${piece.repeat(95_000 / piece.length)} }`] } })).toEqual([])
})
