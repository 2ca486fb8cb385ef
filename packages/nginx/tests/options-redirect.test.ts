import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { checkVirtualHost } from '../src/check.ts'
import { startBackend } from './support/backend.ts'
import { type ConfigDraft, configOf } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { exchange, get, serve } from './support/real-nginx.ts'

type Host = NonNullable<ConfigDraft['virtual_hosts']>[number]

const headerOf = (answer: string, name: string) => new RegExp(`^${name}: (.*)\r$`, 'im').exec(answer)?.[1]
const answerOf = (answer: string) => `${answer.slice(9, 12)} ${headerOf(answer, 'Location') ?? '-'}`
const problemsOf = (host: Partial<Host>) =>
  checkVirtualHost(configOf({ virtual_hosts: [{ server_name: 'a.test www.a.test *.b.test', listen_port: 80, ...host }] }).virtual_hosts[0]!)

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('all names lead to the canonical one, with path and query', async () => {
    const [port, plain] = [await freePort(), await freePort()]
    const host = {
      server_name: 'a.test www.a.test *.b.test',
      redirect: { canonical_name: 'A.test' },
      custom_directives: { return: '200 here' },
    }
    const config = configOf({
      settings: { http_port: plain },
      virtual_hosts: [
        { ...host, listen_port: port },
        { ...host, listen_port: plain },
      ],
    })
    await using _server = await serve(binary, config)
    const to = `http://a.test:${port}`
    expect(answerOf(await get(port, '/x?y=z', 'www.a.test'))).toBe(`301 ${to}/x?y=z`)
    expect(answerOf(await get(port, '/%0d%0aX:1', 'c.b.test'))).toBe(`301 ${to}/%0d%0aX:1`)
    expect(answerOf(await get(port, '/x', 'a.test'))).toBe('200 -')
    expect(answerOf(await get(plain, '/x', 'www.a.test'))).toBe('301 http://a.test/x')
  })

  test('a whole host leads elsewhere, but for its locations', async () => {
    await using backend = await startBackend()
    const [moved, fixed] = [await freePort(), await freePort()]
    const locations = [{ path: '/health', proxy_pass: backend.address }]
    const config = configOf({
      virtual_hosts: [
        { server_name: 'localhost', listen_port: moved, locations, redirect: { to: 'https://new.test/base/', status: 308 } },
        { server_name: 'localhost', listen_port: fixed, redirect: { to: 'https://new.test/', keep_path: false, status: 302 } },
      ],
    })
    await using _server = await serve(binary, config)
    expect(answerOf(await get(moved, '/x%20y?z=1'))).toBe('308 https://new.test/base/x%20y?z=1')
    expect(answerOf(await get(moved, '/health'))).toBe('200 -')
    expect(answerOf(await get(fixed, '/x?z=1'))).toBe('302 https://new.test/')
  })

  test('paths and patterns lead elsewhere, and keep the query unless they have one', async () => {
    const port = await freePort()
    const rules = [
      { from: '/old', to: '/new' },
      { from: '/a b', to: '/é', status: 307 as const },
      { from: '/query', to: 'https://x.test/y?own=1', status: 302 as const },
      { from: '~ ^/blog/(\\d{4})/(.+)$', to: '/posts/$1-$2' },
      { from: '~* ^/DOCS/(.*)', to: 'https://docs.test/$1?from=old', status: 302 as const },
    ]
    const host = { server_name: 'localhost', listen_port: port, redirect: { rules }, locations: [{ path: '^~ /blog', root: '/nowhere' }] }
    await using _server = await serve(binary, configOf({ virtual_hosts: [host] }))
    const of = async (path: string) => answerOf(await get(port, path))
    expect(await of('/old')).toBe('301 /new')
    expect(await of('/old?a=b')).toBe('301 /new?a=b')
    expect(await of('/older')).toBe('404 -')
    expect(await of('/a%20b')).toBe('307 /%C3%A9')
    expect(await of('/query?a=b')).toBe('302 https://x.test/y?own=1')
    expect(await of('/blog/2026/x?a=b')).toBe('301 /posts/2026-x?a=b')
    expect(await of('/docs/a/b?c=d')).toBe('302 https://docs.test/a/b?from=old')
  })

  test('hazard 29: what a pattern catches adds no header', async () => {
    const port = await freePort()
    const redirect = { rules: [{ from: '~ ^/r/([^?]*)$', to: 'https://x.test/$1' }] }
    await using _server = await serve(binary, configOf({ virtual_hosts: [{ server_name: 'localhost', listen_port: port, redirect }] }))
    const answer = await get(port, '/r/a%0d%0aSet-Cookie:%20evil=1')
    expect(answer.slice(9, 12)).toBe('301')
    expect(headerOf(answer, 'Set-Cookie')).toBeUndefined()
  })

  test('a host in maintenance tells all but a few when to come back, errors of upstreams aside', async () => {
    await using backend = await startBackend({ 'Retry-After': '7' })
    const port = await freePort()
    const host = {
      server_name: 'localhost',
      listen_port: port,
      real_ip: { trusted: ['127.0.0.1'] },
      maintenance: { retry_after: 120, allow: ['192.0.2.0/24'] },
      locations: [
        { path: '/', proxy_pass: backend.address },
        { path: '/headers', proxy_pass: backend.address, custom_headers: [{ name: 'X-A', value: 'b', always: true }] },
      ],
    }
    await using _server = await serve(binary, configOf({ virtual_hosts: [host] }))
    const of = async (path: string, from: string) => {
      const answer = await get(port, path, 'localhost', `X-Forwarded-For: ${from}\r\n`)
      return `${answer.slice(9, 12)} ${headerOf(answer, 'Retry-After')}`
    }
    for (const path of ['/', '/headers']) {
      expect(await of(path, '198.51.100.1')).toBe('503 120')
      expect(await of(path, '192.0.2.9')).toBe('200 7')
    }
    expect(await exchange(port, 'POST /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')).toContain(' 503 ')
  })
})

describe('redirects are refused', () => {
  test.each<[Partial<Host>, string[]]>([
    [{ redirect: { canonical_name: 'c.test' } }, ['redirect.canonical_name INVALID_VALUE']],
    [{ redirect: { canonical_name: '*.b.test' } }, ['redirect.canonical_name INVALID_VALUE']],
    [{ redirect: { to: 'https://x.test' }, locations: [{ path: '^~ /' }] }, ['redirect.to CONFLICT']],
    [{ redirect: { to: 'https://x.test' }, custom_directives: { return: '204' } }, ['redirect.to CONFLICT']],
    [{ redirect: { rules: [{ from: '/a', to: '/b' }] }, locations: [{ path: '= /a' }] }, ['redirect.rules.0.from CONFLICT']],
    [
      {
        redirect: {
          rules: [
            { from: '/a b', to: '/b' },
            { from: '/a%20b', to: '/c' },
          ],
        },
      },
      ['redirect.rules.1.from DUPLICATE'],
    ],
    [{ redirect: { rules: [{ from: '~ ^/(a', to: '/b' }] } }, ['redirect.rules.0.from INVALID_FORMAT']],
    [{ redirect: { rules: [{ from: '~ ^/(a)', to: '/$2' }] } }, ['redirect.rules.0.to INVALID_VALUE']],
    [{ redirect: { canonical_name: 'www.a.test', rules: [{ from: '/a', to: '/b' }] }, locations: [{ path: '/a' }] }, []],
  ])('%j', (host, problems) => {
    expect(problemsOf(host).map(({ field, code }) => `${field} ${code}`)).toEqual(problems)
  })
})
