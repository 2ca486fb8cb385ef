import { existsSync } from 'node:fs'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { checkVirtualHost } from '../src/check.ts'
import { moduleFiles } from '../src/facts.ts'
import { type LoadableModule, moduleWords } from '../src/module-directives.ts'
import { configOf } from './support/config.ts'
import { binaries, type NginxBinary } from './support/nginx-versions.ts'
import { get, serve, testRendered } from './support/real-nginx.ts'

const folder = '/usr/lib/nginx/modules'
const others = (Object.keys(moduleWords) as LoadableModule[]).filter((module) => module !== 'lua')
const fileOf = (module: LoadableModule) => `${folder}/${moduleFiles[module][0].at(-1)}`
const present = others.every((module) => existsSync(fileOf(module)))
const system = binaries.find(({ facts }) => facts.version === '1.22.1')?.facts ?? binaries[0]!.facts
const able = Object.fromEntries(others.map((module) => [module, true]))
const debian: NginxBinary = {
  path: '/usr/sbin/nginx',
  facts: {
    ...system,
    supports: { ...system.supports, ...able },
    modules: Object.fromEntries(others.map((module) => [module, [fileOf(module)]])),
  },
}

/** What a host with one directive of each module asks for, by module. */
const uses: Record<Exclude<LoadableModule, 'lua'>, object> = {
  headers_more: { extra_directives: ['more_set_headers "X-More: yes"', 'more_clear_headers Server'] },
  echo: { locations: [{ path: '/', custom_directives: { echo: '"from $host"' } }] },
  fancyindex: { locations: [{ path: '/', extra_directives: ['location /files/ { fancyindex on; }'] }] },
  subs_filter: { custom_directives: { subs_filter: "'some' 'other' i" } },
  image_filter: { locations: [{ path: '/img/', root: '/srv', custom_directives: { image_filter: 'resize 150 100' } }] },
  cache_purge: {
    locations: [{ path: '/', proxy_pass: 'http://10.0.0.1', custom_directives: { proxy_cache_purge: 'PURGE from 127.0.0.1' } }],
  },
}
const hostWith = (rest: object, listen_port = 18480) => configOf({ virtual_hosts: [{ server_name: 'a.test', listen_port, ...rest }] })

describe.skipIf(!present)(`modules of Debian's nginx${present ? '' : ' (skipped: not all of them are installed)'}`, () => {
  test.each(Object.entries(uses))('%s is loaded where a directive of it stands, alone', (module, rest) => {
    const config = hostWith(rest)
    expect(checkVirtualHost(config.virtual_hosts[0]!)).toEqual([])
    const { output, rendered } = testRendered(debian, config)
    expect(output).toContain('test is successful')
    expect(rendered.findings).toEqual([])
    const main = rendered.files.find(({ path }) => path === 'nginx.conf')!.text
    expect(main.match(/^load_module .*$/gm)).toEqual([`load_module ${fileOf(module as LoadableModule)};`])
  })

  test('they do what they are for', async () => {
    const port = await freePort()
    const config = hostWith({ ...uses.headers_more, ...uses.echo }, port)
    await using _server = await serve(debian, config)
    const answer = await get(port, '/', 'a.test')
    expect(answer).toContain('X-More: yes')
    expect(answer).not.toContain('Server:')
    expect(answer).toContain('from a.test')
  })
})

test.each(Object.entries(uses))('where nginx has no %s, the host that needs it is left out and the others are served', (module, rest) => {
  const bare = binaries[0]!
  const host = { server_name: 'b.test', listen_port: 18480 }
  const { virtual_hosts } = hostWith(rest)
  const { output, rendered } = testRendered(bare, configOf({ virtual_hosts: [...virtual_hosts, host] }))
  expect(output).toContain('test is successful')
  expect(rendered.files.find(({ path }) => path === 'http.conf')!.text.match(/server_name .*/g)).toEqual(['server_name b.test;'])
  const message = `the virtual host is left out: nginx ${bare.facts.version} here has no ${moduleWords[module as LoadableModule]} module`
  expect(rendered.findings).toMatchObject([{ severity: 'error', message }])
})

test('where nginx has it not, a directive of the settings is left out', () => {
  const settings = { nginx_directives: { more_set_headers: '"X-More: yes"' } }
  const { output, rendered } = testRendered(
    binaries[0]!,
    configOf({ settings, virtual_hosts: [{ server_name: 'a.test', listen_port: 18480 }] }),
  )
  expect(output).toContain('test is successful')
  expect(rendered.findings).toMatchObject([{ severity: 'error', kind: 'settings', field: 'nginx_directives.more_set_headers' }])
})
