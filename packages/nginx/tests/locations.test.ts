import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@nxmesh/testkit/ports'
import { afterAll, describe, expect, test } from 'vitest'
import { checkVirtualHost } from '../src/check.ts'
import { startBackend } from './support/backend.ts'
import { type ConfigDraft, configOf } from './support/config.ts'
import { host, lintOf } from './support/lint.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve, testRendered } from './support/real-nginx.ts'

type Host = NonNullable<ConfigDraft['virtual_hosts']>[number]

const files = mkdtempSync(join(tmpdir(), 'nxmesh-files-'))
mkdirSync(join(files, 'a b'))
writeFileSync(join(files, 'page.html'), 'page')
writeFileSync(join(files, 'data.own'), 'own')
writeFileSync(join(files, 'a b', 'page.html'), 'spaced')
afterAll(() => rmSync(files, { recursive: true }))

const hostWith = (host: Omit<Host, 'server_name' | 'listen_port'>, port = 18480) =>
  configOf({ virtual_hosts: [{ server_name: 'localhost', listen_port: port, ...host }] })
const body = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4)
const count = (text: string, part: string) => text.split(part).length - 1

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('hazard 48: regular expressions keep their order', async () => {
    const port = await freePort()
    const locations = ['~ ^/a', '~ ^/ab', '/'].map((path) => ({ path, custom_directives: { return: `200 "${path}"` } }))
    await using _server = await serve(binary, hostWith({ locations }, port))
    expect(body(await get(port, '/abc'))).toBe('~ ^/a')
  })

  test('hazard 49: a location that is there already is refused, and left out where it comes anyway', () => {
    const config = hostWith({ locations: [{ path: '/a' }, { path: '^~ /a' }, { path: '= /a' }, { path: '~ a' }, { path: '~ a' }] })
    expect(checkVirtualHost(config.virtual_hosts[0]!).map(({ field }) => field)).toEqual(['locations.1.path', 'locations.4.path'])
    const { output, rendered } = testRendered(binary, config)
    expect(output).toContain('test is successful')
    expect(rendered.findings).toMatchObject([{ severity: 'error', field: 'locations.1.path' }])
  })

  test('hazard 50: an address with a path in a location by regular expression or name', () => {
    const config = hostWith({
      locations: [
        { path: '~ ^/x', proxy_pass: 'http://127.0.0.1:1/' },
        { path: '@n', proxy_pass: 'http://127.0.0.1:1/a' },
        { path: '~ ^/v', proxy_pass: 'http://127.0.0.1:1/$request_uri' },
        { path: '~ ^/u', proxy_pass: 'http://unix:/run/a.sock' },
      ],
    })
    const fields = ['locations.0.proxy_pass', 'locations.1.proxy_pass']
    expect(checkVirtualHost(config.virtual_hosts[0]!).map(({ field }) => field)).toEqual(fields)
    const { output, rendered } = testRendered(binary, config)
    expect(output).toContain('test is successful')
    expect(rendered.findings.map(({ field }) => field)).toEqual(fields)
  })

  test('hazard 51, 52: a path and an address that do not fit ask for something else, as lint says', async () => {
    await using backend = await startBackend()
    const port = await freePort()
    const locations = [
      { path: '/app/', proxy_pass: `${backend.address}/x` },
      { path: '/fine/', proxy_pass: `${backend.address}/` },
      { path: '/var/', proxy_pass: 'http://$arg_to/x/' },
      { path: '/health', proxy_pass: `${backend.address}/health` },
    ]
    const config = hostWith({ locations }, port)
    const found = lintOf({ virtual_hosts: [host({ locations })] }).filter(({ code }) => /^(proxy_slash|constant)/.test(code))
    expect(found.map(({ code, field }) => [code, field])).toEqual([
      ['proxy_slash_mismatch', 'locations.0.proxy_pass'],
      ['constant_proxy_path', 'locations.2.proxy_pass'],
    ])
    expect(found[0]!.reason).toContain('"/xx"')
    await using _server = await serve(binary, config)
    expect(body(await get(port, '/app/x'))).toContain('url /xx\n')
    expect(body(await get(port, '/fine/x?a=1'))).toContain('url /x?a=1\n')
    expect(body(await get(port, `/var/more?to=127.0.0.1:${backend.port}`))).toContain('url /x/\n')
  })

  test('hazard 54: an encoded path is matched', async () => {
    const port = await freePort()
    const location = { path: '/a%20b/', root: files }
    await using _server = await serve(
      binary,
      hostWith({ locations: [location, { path: '/%41', custom_directives: { return: '200 A' } }] }, port),
    )
    expect(body(await get(port, '/a%20b/page.html'))).toBe('spaced')
    expect(body(await get(port, '/A'))).toBe('A')
  })

  test('hazard 55: the redirect to the final slash does not tell the inner port', async () => {
    const port = await freePort()
    await using _server = await serve(binary, hostWith({ locations: [{ path: '/app/', proxy_pass: 'http://127.0.0.1:1' }] }, port))
    expect(await get(port, '/app', 'public.test')).toBe('')
    const answer = await get(port, '/app')
    expect(answer).toContain('301')
    expect(answer).toContain('\r\nLocation: /app/\r\n')
  })

  test('hazard 63: what a virtual host sets is still there where a location sets more', async () => {
    await using backend = await startBackend()
    const port = await freePort()
    const config = configOf({
      settings: { nginx_directives: { add_header: 'X-Http h' } },
      virtual_hosts: [
        {
          server_name: 'localhost',
          listen_port: port,
          custom_directives: { add_header: 'X-Server s', proxy_set_header: 'X-To-Upstream u' },
          locations: [
            { path: '/', root: files, custom_headers: [{ name: 'X-Location', value: 'l' }] },
            { path: '/bare', custom_directives: { return: '200' } },
            {
              path: '/less',
              custom_headers: [
                { name: 'X-Server', value: '' },
                { name: 'X-Http', value: '' },
              ],
              custom_directives: { return: '200' },
            },
            { path: '/up', proxy_pass: backend.address, custom_headers: [{ name: 'X-Api-Key', value: 'k' }] },
          ],
        },
      ],
    })
    await using _server = await serve(binary, config)
    const page = await get(port, '/page.html')
    for (const line of ['X-Http: h', 'X-Server: s', 'X-Location: l']) expect(count(page, `\r\n${line}\r\n`)).toBe(1)
    expect(await get(port, '/bare')).toContain('\r\nX-Server: s\r\n')
    expect(await get(port, '/less')).not.toMatch(/X-Server|X-Http/)
    const proxied = await get(port, '/up')
    for (const line of ['host: localhost', 'x-to-upstream: u', 'x-api-key: k', 'x-forwarded-proto: http', 'x-real-ip: 127.0.0.1'])
      expect(body(proxied)).toContain(`${line}\n`)
    expect(proxied).toContain('\r\nX-Server: s\r\n')
    expect(proxied).not.toContain('\r\nX-Api-Key')
  })

  test('headers that may be repeated are all sent, and an empty one takes them away', async () => {
    const port = await freePort()
    const extra_directives = ['add_header Link "<a>"', 'add_header Link "<b>"']
    const emptied = { name: 'Link', value: '' }
    const locations = [
      { path: '/all', custom_headers: [{ name: 'Link', value: '<c>' }], custom_directives: { return: '204' } },
      { path: '/none', custom_headers: [emptied], custom_directives: { return: '204' } },
      { path: '/own', custom_headers: [emptied, { name: 'Link', value: '<d>' }], custom_directives: { return: '204' } },
      { path: '/', custom_directives: { return: '204' } },
    ]
    await using _server = await serve(binary, hostWith({ extra_directives, locations }, port))
    const links = async (path: string) => [...(await get(port, path)).matchAll(/^Link: (.*)\r$/gm)].map(([, value]) => value)
    expect(await Promise.all(['/', '/all', '/none', '/own'].map(links))).toEqual([['<a>', '<b>'], ['<a>', '<b>', '<c>'], [], ['<d>']])
  })

  test('hazard 64: headers that protect the client are on error pages too, and replace the upstream’s', async () => {
    await using backend = await startBackend({ 'X-Frame-Options': 'ALLOWALL', 'Cache-Control': 'max-age=1' })
    const port = await freePort()
    const custom_headers = [
      { name: 'X-Frame-Options', value: 'DENY' },
      { name: 'Cache-Control', value: 'no-store' },
    ]
    const locations = [
      { path: '/', root: files, custom_headers },
      { path: '/up', proxy_pass: backend.address, custom_headers },
    ]
    await using _server = await serve(binary, hostWith({ locations }, port))
    const missing = await get(port, '/missing')
    expect(missing).toContain(' 404 ')
    expect(missing).toContain('\r\nX-Frame-Options: DENY\r\n')
    const proxied = await get(port, '/up')
    expect(proxied.match(/^(x-frame-options|cache-control): .*$/gim)).toEqual(['X-Frame-Options: DENY', 'Cache-Control: no-store'])
  })

  test('hazard 65: types of one’s own do not make nginx forget the others', async () => {
    const port = await freePort()
    const types = '{ text/x-own own; }'
    await using _server = await serve(binary, hostWith({ custom_directives: { types }, locations: [{ path: '/', root: files }] }, port))
    expect(await get(port, '/data.own')).toContain('Content-Type: text/x-own')
    expect(await get(port, '/page.html')).toContain('Content-Type: text/html')
  })

  test('an empty block of types forgets them all: what visitors upload is shown to nobody as a page', async () => {
    const port = await freePort()
    const custom_directives = { types: '{ }', default_type: 'text/plain' }
    await using _server = await serve(binary, hostWith({ locations: [{ path: '/', root: files, custom_directives }] }, port))
    expect(await get(port, '/page.html')).toContain('Content-Type: text/plain')
  })

  test('a custom directive takes the place of the one that would be written', () => {
    const custom_directives = { proxy_http_version: '1.0', absolute_redirect: 'on', types: '{ text/plain txt; }' }
    const location = {
      path: '/',
      proxy_pass: 'http://127.0.0.1:1',
      custom_directives: { proxy_http_version: '1.0', proxy_read_timeout: '5s' },
    }
    for (const mode of ['owned', 'include'] as const) {
      const settings = {
        nginx_directives: { absolute_redirect: 'on', server_tokens: 'on', client_max_body_size: '1m', ssl_protocols: 'TLSv1.2' },
      }
      const config = { ...hostWith({ custom_directives, locations: [location] }), settings: { ...settings, env_vars: {} } }
      const { output } = testRendered(binary, config, { mode })
      expect(output).toContain('test is successful')
    }
  })
})
