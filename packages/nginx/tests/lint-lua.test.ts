import { existsSync } from 'node:fs'
import { freePort } from '@nxmesh/testkit/ports'
import { until } from '@nxmesh/testkit/until'
import { describe, expect, test } from 'vitest'
import { configOf } from './support/config.ts'
import { codes, host } from './support/lint.ts'
import { binaries, type NginxBinary } from './support/nginx-versions.ts'
import { get, serve, temporaryFolder } from './support/real-nginx.ts'

// What the rules say of Lua, held to what a Lua that does it answers.

const modules = ['ndk_http_module.so', 'ngx_http_lua_module.so'].map((name) => `/usr/lib/nginx/modules/${name}`)
const present = modules.every((path) => existsSync(path))
const known = binaries.find(({ facts }) => facts.version === '1.22.1') ?? binaries[0]!
const debian: NginxBinary = {
  path: '/usr/sbin/nginx',
  facts: { ...known.facts, supports: { ...known.facts.supports, lua: true }, modules: { lua: modules } },
}

describe.skipIf(!present)(`Debian's nginx with Lua${present ? '' : ' (skipped: libnginx-mod-http-lua is not installed)'}`, () => {
  test.each<[code: string, source: string, uri: string, shows: RegExp, wrong: boolean]>([
    ['open_redirect', 'ngx.redirect(ngx.var.arg_to)', '/x?to=https://evil.test/', /^Location: https:\/\/evil\.test\/\r$/m, true],
    ['open_redirect', 'ngx.redirect("/" .. ngx.var.arg_to)', '/x?to=/evil.test', /^Location: \/\/evil\.test\r$/m, true],
    [
      'open_redirect',
      'local args = ngx.req.get_uri_args() ngx.redirect(args.to or "/")',
      '/x?to=%2f%2fevil.test',
      /^Location: \/\/evil\.test\r$/m,
      true,
    ],
    ['open_redirect', 'ngx.redirect("/x?to=" .. ngx.var.arg_to)', '/x?to=//evil.test', /^Location: (https?:)?\/\/evil/m, false],
    [
      'open_redirect',
      'if ngx.var.arg_to == "/a" then ngx.redirect(ngx.var.arg_to) end ngx.say("no")',
      '/x?to=//evil.test',
      /^Location: (https?:)?\/\/evil/m,
      false,
    ],
    ['internal_location', 'ngx.exec(ngx.var.arg_to)', '/x?to=/secret', /the secret/, true],
    ['internal_location', 'ngx.print(ngx.location.capture("/" .. ngx.var.arg_to).body)', '/x?to=secret', /the secret/, true],
    ['internal_location', 'ngx.exec("/public/" .. ngx.var.arg_to)', '/x?to=secret', /the secret/, false],
    ['code_injection', 'ngx.say(loadstring("return " .. ngx.unescape_uri(ngx.var.arg_a))())', '/x?a=6*7%2b100', /\b142\b/, true],
    ['code_injection', 'ngx.say(loadstring("return 6*7+100")() - 1)', '/x?a=6*7%2b100', /\b142\b/, false],
    ['cross_site_scripting', 'ngx.say("<p>", ngx.req.get_uri_args().a)', '/x?a=%3Cscript%3E', /<script>/, true],
    ['cross_site_scripting', 'ngx.say("<p>", ngx.var.arg_a)', '/x?a=%3Cscript%3E', /<script>/, false],
  ])('%s: %s', async (code, source, uri, shows, wrong) => {
    const port = await freePort()
    const draft = host({
      server_name: 'localhost',
      listen_port: port,
      locations: [
        { path: '/x', custom_directives: { content_by_lua_block: `{ ${source} }` } },
        { path: '/secret', custom_directives: { internal: '', return: '200 "the secret"' } },
        { path: '/public/', custom_directives: { return: '200 public' } },
      ],
    })
    await using _server = await serve(debian, configOf({ virtual_hosts: [draft] }))
    expect(shows.test(await get(port, uri))).toBe(wrong)
    expect(codes({ virtual_hosts: [draft] }).some((line) => line.startsWith(`${code} `))).toBe(wrong)
  })

  test('blocking_lua: a worker that waits for a command answers nobody', async () => {
    using folder = temporaryFolder()
    const [begun, done] = [`${folder.path}/begun`, `${folder.path}/done`]
    const port = await freePort()
    const draft = host({
      server_name: 'localhost',
      listen_port: port,
      locations: [
        { path: '/wait', custom_directives: { content_by_lua_block: `{ ngx.say(os.execute("touch ${begun}; sleep 1; touch ${done}")) }` } },
        { path: '/now', custom_directives: { return: '200 now' } },
      ],
    })
    const settings = { nginx_directives: { worker_processes: '1' } }
    await using _server = await serve(debian, configOf({ virtual_hosts: [draft], settings }))
    const waiting = get(port, '/wait')
    await until('the command to run', async () => existsSync(begun))
    expect(await get(port, '/now')).toContain('now')
    expect(existsSync(done)).toBe(true)
    await waiting
    expect(codes({ virtual_hosts: [draft] })).toContain('blocking_lua locations.0.custom_directives.content_by_lua_block')
  })
})
