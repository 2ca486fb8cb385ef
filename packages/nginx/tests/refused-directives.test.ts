import { describe, expect, test } from 'vitest'
import { checkVirtualHost } from '../src/check.ts'
import { configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { testHttp, testRendered } from './support/real-nginx.ts'

describe.each(binaries)('nginx $facts.version', (binary) => {
  // Refused where somebody writes it, and left out with a finding where it comes all the same.
  const expectRefused = (name: string, value: string, within: 'server' | 'location') => {
    const custom_directives = { [name]: value }
    const host = within === 'server' ? { custom_directives } : { locations: [{ path: '/', custom_directives }] }
    const field = within === 'server' ? `custom_directives.${name}` : `locations.0.custom_directives.${name}`
    const config = configOf({ virtual_hosts: [{ server_name: 'a.test', listen_port: 18480, ...host }] })
    expect(checkVirtualHost(config.virtual_hosts[0]!)).toMatchObject([{ field, code: 'NOT_ALLOWED' }])
    const { output, rendered } = testRendered(binary, config)
    expect(output).toContain('test is successful')
    expect(output).not.toContain('[warn]')
    expect(rendered.findings).toMatchObject([{ severity: 'error', id: id(1, 1), field }])
    return rendered.files.find(({ path }) => path === 'http.conf')!.text
  }

  test('hazard 35: nobody can listen on one address of a port, which would hide all virtual hosts of the others there', () => {
    const text = expectRefused('listen', '127.0.0.1:18480', 'server')
    expect(text.match(/^ *listen .*$/gm)).toEqual([
      expect.stringContaining('unix:'),
      '    listen 18480 default_server;',
      '    listen 18480;',
    ])
  })

  test('hazard 38: TLS is a word of `listen`; `ssl on`, which warns or stops nginx, is never written', () => {
    const output = testHttp(binary, 'server { listen 127.0.0.1:18480; ssl on; }').output
    expect(output).toMatch(/the "ssl" directive is deprecated|unknown directive "ssl"|no "ssl_certificate" is defined/)
    expect(expectRefused('ssl', 'on', 'server')).not.toMatch(/^\s*ssl /m)
  })

  test.each([
    ['no-such-name.invalid:18480', /host not found/],
    ['192.0.2.1:18480', /Cannot assign requested address/],
  ])('hazard 45: nobody can listen on %s, which only some machines know', (address, words) => {
    expect(testHttp(binary, `server { listen ${address}; }`).output).toMatch(words)
    expectRefused('listen', address, 'server')
  })

  test('hazard 61: locations have none inside them, which nginx takes only under the prefix of the outer one', () => {
    const nested = (outer: string) =>
      testHttp(binary, `server { listen 127.0.0.1:18480; location ${outer} { location /b { return 200; } } }`)
    for (const outer of ['/a', '= /b', '@b']) expect(nested(outer).ok, outer).toBe(false)
    expect(nested('/').ok).toBe(true)
    expectRefused('location', '/b { return 200; }', 'location')
  })

  test('hazard 81, 82: certificates are named by the renderer alone', () => {
    const text = expectRefused('ssl_certificate', '/etc/$ssl_server_name.pem', 'server')
    expect(text).not.toContain('$ssl_server_name')
    expectRefused('ssl_certificate_key', '/etc/$ssl_server_name.key', 'server')
  })
})
