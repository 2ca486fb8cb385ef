import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { checkSettings, checkVirtualHost } from '../src/check.ts'
import { contextNames, contextsFor } from '../src/directive-contexts.ts'
import { everything } from '../src/directive-rules.ts'
import { isLua } from '../src/lua-directives.ts'
import { configOf } from './support/config.ts'
import { binaries, type NginxBinary } from './support/nginx-versions.ts'
import { testHttp, testRendered } from './support/real-nginx.ts'

const folder = '/usr/lib/nginx/modules'
const modules = ['ndk_http_module.so', 'ngx_http_lua_module.so'].map((name) => `${folder}/${name}`)
const present = modules.every((path) => existsSync(path))
const bare = binaries[0]!
const withLua = (facts: NginxBinary['facts']): NginxBinary => ({
  path: '/usr/sbin/nginx',
  facts: { ...facts, supports: { ...facts.supports, lua: true }, modules: { lua: modules } },
})
const debian = withLua(binaries.find(({ facts }) => facts.version === '1.22.1')?.facts ?? bare.facts)
const load = modules.map((path) => `load_module ${path};\n`).join('')

const hostWith = (rest: object) => configOf({ virtual_hosts: [{ server_name: 'a.test', listen_port: 18480, ...rest }] })

describe.skipIf(!present)(`Debian's nginx with Lua${present ? '' : ' (skipped: libnginx-mod-http-lua is not installed)'}`, () => {
  const around = {
    http: (statement: string) => statement,
    server: (statement: string) => `server { ${statement} }`,
    location: (statement: string) => `server { location / { ${statement} } }`,
  }

  test.each(['http', 'server', 'location'] as const)('refuses in %s what the table does not allow there', (context) => {
    const wrong = contextNames.filter(isLua).filter((name) => {
      const { output } = testHttp(debian, around[context](`${name}${name.endsWith('_block') ? ' {}' : ';'}`), load)
      if (output.includes('unknown directive')) return false
      return output.includes('is not allowed here') === contextsFor(name)!.includes(context)
    })
    expect(wrong).toEqual([])
  })

  test.each([
    ['a brace in a string', 'local a = "}" .. \'{\''],
    ['a brace in a comment', 'local a = 1 -- } {\n'],
    ['a quote in a comment', "local a = 1 -- it's }\n"],
    ['long brackets', 'local a = [==[ } ]] { ]==]'],
    ['a long comment', '--[[ } \n { ]] local a = 1'],
    ['tables', 'local a = { { 1 }, { 2 } }'],
    ['more than a buffer of nginx', `local a = "${'x'.repeat(3000)}"\nlocal b = "${'}'.repeat(3000)}"\n`],
    ['many lines', 'local a = "}" -- {\n'.repeat(1000)],
  ])('takes what is taken here: %s', (_what, source) => {
    const value = `{ ${source} }`
    const config = hostWith({
      extra_directives: [`access_by_lua_block ${value}`],
      locations: [{ path: '/', custom_directives: { return: '204' } }],
    })
    expect(checkVirtualHost(config.virtual_hosts[0]!, everything)).toEqual([])
    const { output, rendered } = testRendered(debian, config)
    expect(output).toContain('test is successful')
    expect(rendered.findings).toEqual([])
  })

  test('modules are loaded for what is used alone', () => {
    const main = (rest: object) => testRendered(debian, hostWith(rest)).rendered.files.find(({ path }) => path === 'nginx.conf')!.text
    expect(main({})).not.toContain('load_module')
    for (const rest of [
      { custom_directives: { lua_code_cache: 'on' } },
      { extra_directives: ['if ($arg_a) { set_by_lua_block $b { return 1 } }'] },
      { locations: [{ path: '/', extra_directives: ['location /x { content_by_lua_block { } }'] }] },
    ])
      expect(main(rest).match(/^load_module .*$/gm)).toEqual(modules.map((path) => `load_module ${path};`))
  })
})

test('where nginx has no Lua, what holds some is left out, and all virtual hosts where the settings would decide by it', () => {
  const lacking: NginxBinary = { ...bare, facts: { ...bare.facts, supports: { ...bare.facts.supports, lua: false } } }
  const hosts = [
    {
      server_name: 'a.test',
      listen_port: 18480,
      locations: [{ path: '/', custom_directives: { access_by_lua_block: '{ ngx.exit(403) }' } }],
    },
    { server_name: 'b.test', listen_port: 18480 },
  ]
  const found = (settings: object) => {
    const { output, rendered } = testRendered(lacking, configOf({ virtual_hosts: hosts, settings }))
    expect(output).toContain('test is successful')
    return {
      names: rendered.files.find(({ path }) => path === 'http.conf')!.text.match(/server_name .*/g) ?? [],
      findings: rendered.findings.map(({ severity, kind, field }) => `${severity} ${kind} ${field}`),
    }
  }
  const host = 'error virtual_host locations.0.custom_directives.access_by_lua_block'
  expect(found({ nginx_directives: { lua_shared_dict: 'a 1m' } })).toEqual({
    names: ['server_name b.test;'],
    findings: ['error settings nginx_directives.lua_shared_dict', host],
  })
  expect(found({ nginx_directives: { access_by_lua_block: '{ ngx.exit(403) }' } })).toEqual({
    names: [],
    findings: ['error settings nginx_directives.access_by_lua_block', host, 'error virtual_host server_name'],
  })
})

test('without leave no Lua is taken, in whatever form', () => {
  const texts = [
    'access_by_lua_block { }',
    "access_by_lua 'x'",
    'access_by_lua_file x',
    'lua_code_cache off',
    'if ($a) { rewrite_by_lua_block { } }',
  ]
  for (const text of texts) {
    const config = hostWith({ extra_directives: [text] })
    expect([text, checkVirtualHost(config.virtual_hosts[0]!).map(({ code }) => code)]).toEqual([text, ['NOT_ALLOWED']])
    expect([text, checkVirtualHost(config.virtual_hosts[0]!, everything)]).toEqual([text, []])
  }
  expect(checkSettings({ nginx_directives: { lua_package_path: '"/x/?.lua;;"' }, env_vars: {} })).toMatchObject([{ code: 'NOT_ALLOWED' }])
})
