import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { freePort } from '@nxmesh/testkit/ports'
import { afterAll, describe, expect, test } from 'vitest'
import { moduleFiles, type NginxFacts } from '../src/facts.ts'
import { importConfig } from '../src/import/import.ts'
import { readSources } from '../src/import/includes.ts'
import { differencesAfterImport } from '../src/import/proof.ts'
import { render } from '../src/render.ts'
import { configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve, targetFor, testRendered } from './support/real-nginx.ts'

const folder = mkdtempSync(join(tmpdir(), 'nxmesh-brotli-'))
afterAll(() => rmSync(folder, { recursive: true }))
writeFileSync(join(folder, 'a.css'), 'plain')
writeFileSync(join(folder, 'a.css.br'), brotliCompressSync('compressed before'))

const fileOf = (module: 'brotli' | 'brotli_static') => `/usr/lib/nginx/modules/${moduleFiles[module][0][0]}`
const present = existsSync(fileOf('brotli_static')) && existsSync(fileOf('brotli'))
const debian = binaries.find(({ facts }) => facts.version === '1.22.1')!

function withModules({ supports, ...facts }: NginxFacts): NginxFacts {
  const modules = { brotli: [fileOf('brotli')], brotli_static: [fileOf('brotli_static')] }
  return { ...facts, supports: { ...supports, brotli: true, brotli_static: true }, modules }
}

const config = (port: number) =>
  configOf({
    settings: { nginx_directives: { brotli_types: 'text/css', map: '$host $brotli_off { brotli_static 1; }' } },
    virtual_hosts: [
      {
        server_name: 'a.test',
        listen_port: port,
        custom_directives: { brotli_static: 'on', root: folder },
        locations: [
          { path: '/own', extra_directives: ['brotli_static always', 'add_header X-Own 1'], root: folder },
          {
            path: '/in',
            extra_directives: ['location /in/ner { brotli_static off; deny all; }', 'if ($arg_q) { brotli off; return 403; }'],
          },
        ],
      },
    ],
  })

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('without the modules their directives are left out, each with a warning, and what else stands around them is not', () => {
    const { output, rendered } = testRendered(binary, config(18480))
    expect(output).toContain('test is successful')
    expect(rendered.findings.map(({ severity, field, message }) => [severity, field, /^"(\w+)" is left out/.exec(message)?.[1]])).toEqual([
      ['warning', 'nginx_directives.brotli_types', 'brotli_types'],
      ['warning', 'custom_directives.brotli_static', 'brotli_static'],
      ['warning', 'locations.0.extra_directives.0', 'brotli_static'],
      ['warning', 'locations.1.extra_directives.0', 'brotli_static'],
      ['warning', 'locations.1.extra_directives.1', 'brotli'],
    ])
    const http = rendered.files.find(({ path }) => path === 'http.conf')!.text
    expect(http).toContain('location /in/ner { deny all; }')
    expect(http).toContain('if ($arg_q) { return 403; }')
    expect(rendered.files.find(({ path }) => path === 'nginx.conf')!.text).not.toContain('load_module')
  })
})

test('in include mode it is the host’s nginx.conf that loads them', () => {
  const rendered = (facts: NginxFacts) => render(config(80), targetFor({ facts, path: '' }, '/run/nxmesh', { mode: 'include' }))
  expect(rendered(debian.facts).findings.map(({ message }) => message)).toContain(
    '"brotli_static" is left out: the host\'s own nginx.conf loads no module that has it',
  )
  expect(rendered(withModules(debian.facts)).findings.filter(({ message }) => message.includes('brotli'))).toEqual([])
})

test('only the modules that are used are loaded', () => {
  const loaded = (custom_directives: Record<string, string>) => {
    const one = configOf({ virtual_hosts: [{ server_name: 'a.test', listen_port: 80, custom_directives }] })
    const { files } = render(one, targetFor({ facts: withModules(debian.facts), path: '' }, '/run/nxmesh'))
    return files.find(({ path }) => path === 'nginx.conf')!.text.match(/^load_module .*$/gm) ?? []
  }
  expect(loaded({ brotli_static: 'on' })).toEqual([`load_module ${fileOf('brotli_static')};`])
  expect(loaded({ brotli: 'on' })).toEqual([`load_module ${fileOf('brotli')};`])
  expect(loaded({ gzip_static: 'on' })).toEqual([])
})

test('an import keeps them where they are', () => {
  const text = `load_module modules/ngx_http_brotli_static_module.so; http { brotli_static on;
    server { listen 80; server_name a.test; brotli on; location / { brotli_static always; return 200; } } }`
  const sources = readSources(new Map([['nginx.conf', text]]), 'nginx.conf')
  const found = importConfig(sources, { newId: () => id(1, 1), findCertificate: () => undefined })
  expect(found.lines.filter(({ outcome }) => outcome === 'left_out')).toEqual([])
  expect(found.settings.nginx_directives).toEqual({ brotli_static: 'on' })
  expect(differencesAfterImport(sources, found).filter(({ change }) => change === 'removed')).toEqual([])
})

describe.skipIf(!present)(`Debian's nginx${present ? '' : ' (skipped: libnginx-mod-http-brotli-static is not installed)'}`, () => {
  test('files that were compressed before are sent as they are', async () => {
    const port = await freePort()
    const binary = { ...debian, path: '/usr/sbin/nginx', facts: withModules(debian.facts) }
    await using serving = await serve(binary, config(port))
    expect(serving.rendered.findings).toEqual([])
    const ask = (accept: string) => get(port, '/a.css', 'a.test', `Accept-Encoding: ${accept}\r\n`)
    expect(await ask('br')).toContain('Content-Encoding: br')
    expect(await ask('gzip')).toMatch(/\r\n\r\nplain$/)
  })
})
