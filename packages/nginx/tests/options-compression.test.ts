import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@nxmesh/testkit/ports'
import { afterAll, describe, expect, test } from 'vitest'
import { type NginxFacts, parseVersion } from '../src/facts.ts'
import { render } from '../src/render.ts'
import { configOf } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve, targetFor, testRendered } from './support/real-nginx.ts'

const files = mkdtempSync(join(tmpdir(), 'nxmesh-gzip-'))
writeFileSync(join(files, 'style.css'), 'a { b: c }\n'.repeat(100))
writeFileSync(join(files, 'short.css'), 'a { b: c }\n')
writeFileSync(join(files, 'page.html'), '<p>text</p>\n'.repeat(100))
writeFileSync(join(files, 'archive.zip'), 'z'.repeat(1000))
afterAll(() => rmSync(files, { recursive: true }))

const gzipped = async (port: number, path: string) =>
  (await get(port, path, 'localhost', 'Accept-Encoding: gzip\r\nVia: 1.1 cdn\r\n')).includes('Content-Encoding: gzip')

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('texts of some length are compressed, for those behind a proxy too, and caches are told', async () => {
    const port = await freePort()
    const config = configOf({
      settings: { gzip: {} },
      virtual_hosts: [
        {
          server_name: 'localhost',
          listen_port: port,
          locations: [
            { path: '/', root: files },
            { path: '= /page.html', root: files, gzip: { enabled: false } },
          ],
        },
      ],
    })
    await using _server = await serve(binary, config)
    expect(await gzipped(port, '/style.css')).toBe(true)
    expect(await gzipped(port, '/short.css')).toBe(false)
    expect(await gzipped(port, '/archive.zip')).toBe(false)
    expect(await gzipped(port, '/page.html')).toBe(false)
    expect(await get(port, '/style.css')).toContain('Vary: Accept-Encoding')
  })

  test('types are named once, whatever is asked for', () => {
    const gzip = { types: ['text/html', 'text/css', 'text/css'], level: 9 }
    const { output } = testRendered(binary, configOf({ virtual_hosts: [{ server_name: 'a.test', listen_port: 18480, gzip }] }))
    expect(output).toContain('test is successful')
    expect(output).not.toContain('duplicate')
    const only = configOf({ virtual_hosts: [{ server_name: 'a.test', listen_port: 18480, gzip: { types: ['text/html'] } }] })
    expect(testRendered(binary, only).output).toContain('test is successful')
  })

  test('brotli where it is built; elsewhere a warning, and the rest is served', () => {
    const config = configOf({
      settings: { brotli: {} },
      virtual_hosts: [{ server_name: 'a.test', listen_port: 18480, locations: [{ path: '/', brotli: { level: 4 } }] }],
    })
    const { output, rendered } = testRendered(binary, config)
    expect(output).toContain('test is successful')
    expect(rendered.findings.map(({ severity, field }) => [severity, field])).toEqual(
      binary.facts.supports.brotli
        ? []
        : [
            ['warning', 'brotli'],
            ['warning', 'locations.0.brotli'],
          ],
    )
  })
})

test('brotli is written where nginx says that it knows it', () => {
  const facts: NginxFacts = parseVersion('nginx version: nginx/1.26.3\nconfigure arguments: --add-module=/src/ngx_brotli\n')!
  const config = configOf({ virtual_hosts: [{ server_name: 'a.test', listen_port: 80, brotli: { types: ['text/css'], level: 4 } }] })
  const { files: rendered, findings } = render(config, targetFor({ facts, path: '' }, '/run/nxmesh'))
  expect(findings).toEqual([])
  expect(rendered[0]!.text).toContain('    brotli on;\n    brotli_types text/css;\n    brotli_min_length 256;\n    brotli_comp_level 4;\n')
})
