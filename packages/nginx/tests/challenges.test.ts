import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { certificate } from './support/certificate.ts'
import { configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { exchange, get, serve, testRendered } from './support/real-nginx.ts'

const key = 'P9cXd3BNRFbQTsm7kJKOzT2BJGrXLhPHXMxQnVXr0ZQ'
const other = 'kq3YtX0D4mFQ2hXr8Xv5mJ1n2K3p4R5s6T7u8V9w0xY'
const at = '/.well-known/acme-challenge/'
const token = 'LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0'
const body = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4)
const status = (answer: string) => Number(answer.split(' ')[1])
const answers = (text: string) => [{ path: '/', custom_directives: { return: `200 ${text}` } }]
const certificates = { [id(3, 1)]: { id: id(3, 1), domain: 'example.com', ...certificate, expires_at: 0 } }

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('a challenge is answered before anything that a user has put in its way', async () => {
    const port = await freePort()
    const hosts = [
      { server_name: 'plain.test', locations: answers('plain') },
      {
        server_name: 'locked.test',
        custom_directives: { auth_basic: 'closed', auth_basic_user_file: '/dev/null' },
        locations: [{ path: '/', root: '/nowhere' }],
      },
      { server_name: 'moved.test', custom_directives: { return: '301 https://moved.test/' } },
      { server_name: 'own.test', locations: [{ path: '^~ /.well-known/', custom_directives: { return: '200 own' } }] },
      { server_name: 'denied.test', custom_directives: { deny: 'all' }, locations: answers('denied') },
      { server_name: '*.wild.test', locations: answers('wild') },
      { server_name: 'resting.test', maintenance: {} },
      { server_name: 'www.other.test other.test', redirect: { canonical_name: 'other.test', rules: [{ from: '~ .', to: '/' }] } },
      { server_name: 'gone.test', redirect: { to: 'https://new.test' } },
      {
        server_name: 'guarded.test',
        access: { rules: [{ action: 'deny' as const, address: 'all' as const }] },
        auth_basic: { users: [{ name: 'a', password_hash: '{SSHA}tCNGqyJLk/uvKpCa4vga5GB2gWoxMjM0NTY3OA==' }] },
        limit_req: { rate: '1r/m' },
      },
    ]
    const options = ['resting.test', 'www.other.test', 'gone.test', 'guarded.test']
    const names = [
      'plain.test',
      'locked.test',
      'moved.test',
      'own.test',
      'denied.test',
      'a.wild.test',
      ...options,
      'nobody.test',
      '127.0.0.1',
    ]
    const config = {
      ...configOf({ virtual_hosts: hosts.map((host) => ({ ...host, listen_port: port })) }),
      acme_thumbprints: Object.fromEntries(names.map((name) => [name, name === 'own.test' ? other : key])),
    }
    config.settings.http_port = port
    await using _server = await serve(binary, config)
    for (const name of names) {
      expect(body(await get(port, `${at}${token}`, name)), name).toBe(`${token}.${name === 'own.test' ? other : key}`)
    }
    expect(body(await get(port, `${at}${token}`, 'PLAIN.test:80'))).toBe(`${token}.${key}`)
    expect(status(await exchange(port, `HEAD ${at}${token} HTTP/1.0\r\nHost: plain.test\r\n\r\n`))).toBe(200)
    // Nothing but a token comes back, and everything else is as it was.
    for (const path of [`${at}a.b`, `${at}a%0d%0ab`, `${at}${token}/x`, at, '/x'])
      expect(body(await get(port, path, 'plain.test'))).toBe('plain')
    expect(status(await get(port, '/x', 'locked.test'))).toBe(401)
    expect(body(await get(port, '/.well-known/x', 'own.test'))).toBe('own')
    expect(body(await get(port, `${at}${token}`, 'b.wild.test'))).toBe('wild')
    expect(await get(port, `${at}${token}`, 'unknown.test')).toBe('')
  })

  test('a host that speaks TLS has a plain side, which redirects only while it is served', async () => {
    const [port, tlsPort] = [await freePort(), await freePort()]
    const tls = { ssl_enabled: true, listen_port: tlsPort }
    const config = {
      ...configOf({
        certificates,
        virtual_hosts: [
          { ...tls, server_name: 'example.com', ssl_certificate_id: id(3, 1), tls: { redirect_http: true }, locations: answers('tls') },
          { ...tls, server_name: 'pending.test', ssl_certificate_id: id(3, 2), tls: { redirect_http: true } },
          { ...tls, server_name: 'silent.test', ssl_certificate_id: id(3, 1) },
        ],
      }),
      acme_thumbprints: { 'pending.test': key },
    }
    config.settings.http_port = port
    await using _server = await serve(binary, config)
    expect(await get(port, '/a?b', 'example.com')).toContain(`Location: https://example.com:${tlsPort}/a?b`)
    expect(status(await get(port, '/', 'pending.test'))).toBe(404)
    expect(body(await get(port, `${at}${token}`, 'pending.test'))).toBe(`${token}.${key}`)
    expect(await get(port, '/', 'silent.test')).toBe('')
  })

  test('what others have on the port stays theirs', () => {
    const host = { server_name: 'example.com', ssl_certificate_id: id(3, 1), ssl_enabled: true, tls: { redirect_http: true } }
    const claimed = configOf({
      certificates,
      virtual_hosts: [
        { ...host, listen_port: 18481 },
        { server_name: 'example.com', listen_port: 18480, locations: answers('mine') },
      ],
    })
    claimed.settings.http_port = 18480
    const free = testRendered(binary, claimed)
    expect(free.output).toContain('test is successful')
    expect(free.output).not.toContain('conflicting server name')
    const encrypted = configOf({ certificates, virtual_hosts: [{ ...host, listen_port: 18480 }] })
    encrypted.settings.http_port = 18480
    const { output, rendered } = testRendered(binary, encrypted)
    expect(output).toContain('test is successful')
    expect(rendered.findings).toMatchObject([{ severity: 'error', field: 'tls.redirect_http' }])
  })

  test.each(['owned', 'include'] as const)('thousands of names, and long ones, in mode %s', (mode) => {
    const long = `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.example.com`
    const names = [long, '2001:db8::1', ...Array.from({ length: 5000 }, (_, number) => `host-${number}.example.com`)]
    const config = {
      ...configOf({ virtual_hosts: [{ server_name: 'plain.test', listen_port: 18480 }] }),
      acme_thumbprints: Object.fromEntries(names.map((name) => [name, key])),
    }
    config.settings.http_port = 18480
    const { output } = testRendered(binary, config, { mode, directory: '/nowhere' })
    expect(output).toContain('test is successful')
  })
})
