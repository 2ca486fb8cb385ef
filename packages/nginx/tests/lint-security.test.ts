import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { startBackend } from './support/backend.ts'
import { certificate } from './support/certificate.ts'
import { type ConfigDraft, configOf, id } from './support/config.ts'
import { codes, host, lintOf } from './support/lint.ts'
import { binaries } from './support/nginx-versions.ts'
import { exchange, get, serve, temporaryFolder } from './support/real-nginx.ts'

type HostDraft = NonNullable<ConfigDraft['virtual_hosts']>[number]
type LocationDraft = NonNullable<HostDraft['locations']>[number]

/** Whether a rule finds something in a virtual host. */
function finds(code: string, draft: Partial<HostDraft>, settings: ConfigDraft['settings'] = {}): boolean {
  return lintOf({ virtual_hosts: [host(draft)], settings }).some((each) => each.code === code)
}

const status = (answer: string) => Number(answer.split(' ')[1])

describe.each(binaries)('nginx $facts.version', (binary) => {
  const served = async (draft: Partial<HostDraft>, settings: ConfigDraft['settings'] = {}) => {
    const port = await freePort()
    const server = await serve(
      binary,
      configOf({ virtual_hosts: [host({ server_name: 'localhost', listen_port: port, ...draft })], settings }),
    )
    return { port, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
  }

  test.each([
    ['http://$arg_to$request_uri', '/', '/x?to=127.0.0.1:PORT', true],
    ['http://$1/', '~ ^/p/(.*)$', '/p/127.0.0.1:PORT', true],
    ['http://$1.internal/', '~ ^/p/(.*)$', '/p/127.0.0.1:PORT%3f', true],
    ['http://$1.internal/', '~ ^/p/([a-z]+)$', '/p/127.0.0.1:PORT%3f', false],
  ])('ssrf: a client chooses the server of %s in %s by %s: %s', async (proxy_pass, path, uri, reached) => {
    await using backend = await startBackend()
    const locations: LocationDraft[] = [{ path, proxy_pass, custom_directives: { resolver: '127.0.0.1' } }]
    await using server = await served({ locations })
    const answer = await get(server.port, uri.replace('PORT', String(backend.port)))
    expect(answer.includes('version 1.1')).toBe(reached)
    expect(finds('ssrf', { locations })).toBe(reached)
  })

  describe('http_splitting', () => {
    const split = '/v1/a%0d%0aX-Injected:%20b'
    const toClient: [string, LocationDraft, boolean][] = [
      ['return with a group', { path: '~ ^/v1/([^/]*)', custom_directives: { return: '302 http://a.test/$1' } }, true],
      ['return with a group of dots', { path: '~ ^/v1/(.*)', custom_directives: { return: '302 http://a.test/$1' } }, false],
      [
        'return with a group by its name',
        { path: '~ ^/v1/(?<rest>[^/]*)', custom_directives: { return: '302 http://a.test/$rest' } },
        true,
      ],
      ['return of a URL alone', { path: '/v1', custom_directives: { return: 'http://a.test$uri' } }, true],
      ['return of text', { path: '/v1', custom_directives: { return: '200 $uri' } }, false],
      ['add_header', { path: '/v1', custom_directives: { add_header: 'X-Path $uri always' } }, true],
      ['a custom header', { path: '/v1', custom_headers: [{ name: 'X-Path', value: '$document_uri', always: true }] }, true],
      ['a redirect by rewrite', { path: '/v1', rewrite_rules: [{ pattern: '^', replacement: 'http://a.test$uri' }] }, true],
      ['a rewrite with a group', { path: '/v1', rewrite_rules: [{ pattern: '^/v1/([^/]*)', replacement: 'http://a.test/$1' }] }, false],
      ['set', { path: '/v1', custom_directives: { set: '$to $uri', return: '302 http://a.test$to' } }, true],
      ['the URI as it came', { path: '/v1', custom_directives: { return: '302 http://a.test$request_uri' } }, false],
    ]

    test.each(toClient)('%s', async (_, location, injects) => {
      await using server = await served({ locations: [location] })
      const [head = ''] = (await get(server.port, split)).split('\r\n\r\n')
      expect(head.includes('\r\nX-Injected: b')).toBe(injects)
      expect(finds('http_splitting', { locations: [location] })).toBe(injects)
    })

    test.each<[string, (to: string) => LocationDraft, boolean]>([
      ['a request header', (to) => ({ path: '/v1', proxy_pass: to, custom_headers: [{ name: 'X-Forwarded-Uri', value: '$uri' }] }), true],
      ['the address', (to) => ({ path: '/v1', proxy_pass: `${to}$uri` }), true],
      ['the address with a group of dots', (to) => ({ path: '~ ^/v1/(.*)', proxy_pass: `${to}/$1` }), false],
    ])('to an upstream, by %s', async (_, locationTo, injects) => {
      await using backend = await startBackend()
      const locations = [locationTo(backend.address)]
      await using server = await served({ locations })
      // A space would end the address in the request line.
      const answer = await get(server.port, '/v1/a%20HTTP/1.0%0d%0aX-Injected:b')
      expect(answer.includes('x-injected: b')).toBe(injects)
      expect(finds('http_splitting', { locations })).toBe(injects)
    })
  })

  test.each([
    ['/i', true],
    ['/i/', false],
  ])('hazard 60: alias_traversal: location %s reads beside the alias: %s', async (path, traverses) => {
    using folder = temporaryFolder()
    mkdirSync(join(folder.path, 'public'))
    writeFileSync(join(folder.path, 'secret.txt'), 'the secret')
    const locations: LocationDraft[] = [{ path, custom_directives: { alias: `${folder.path}/public/` } }]
    await using server = await served({ locations })
    expect((await get(server.port, '/i../secret.txt')).includes('the secret')).toBe(traverses)
    expect(finds('alias_traversal', { locations })).toBe(traverses)
  })

  test.each([
    ['$http_host', 'evil.test'],
    ['$host', 'localhost'],
  ])('host_spoofing: with a whole address in the request line the upstream is told %s: %s', async (value, told) => {
    const seen: string[] = []
    const upstream = createServer((request, response) => {
      seen.push(String(request.headers.host))
      response.end('ok')
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const { port: to } = upstream.address() as { port: number }
    const locations: LocationDraft[] = [{ path: '/', proxy_pass: `http://127.0.0.1:${to}`, custom_headers: [{ name: 'Host', value }] }]
    {
      await using server = await served({ locations })
      await exchange(server.port, 'GET http://localhost/ HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n')
    }
    await new Promise((resolve) => upstream.close(resolve))
    expect(seen).toEqual([told])
    expect(finds('host_spoofing', { locations })).toBe(told === 'evil.test')
  })

  test('header_redefinition: an if that sets a header drops all others', async () => {
    const locations: LocationDraft[] = [
      {
        path: '/',
        root: '/nowhere',
        custom_headers: [{ name: 'X-Own', value: 'o', always: true }],
        custom_directives: { if: '($arg_a) { add_header X-If i always; }' },
      },
    ]
    const draft = { custom_directives: { add_header: 'X-Server s always' }, locations }
    await using server = await served(draft)
    expect(await get(server.port, '/')).toMatch(/X-Server: s\r\n[^]*X-Own: o/)
    const answer = await get(server.port, '/?a=1')
    expect(answer).toContain('X-If: i')
    expect(answer).not.toMatch(/X-Server|X-Own/)
    expect(finds('header_redefinition', draft)).toBe(true)
  })

  test.each([
    ['old', 'TLSv1'],
    ['intermediate', undefined],
  ] as const)('weak_tls: with the policy %s a client of TLS 1.0 gets %s', async (policy, spoken) => {
    const virtual_hosts = [
      host({ server_name: 'example.com', listen_port: await freePort(), ssl_enabled: true, ssl_certificate_id: id(3, 1) }),
    ]
    const settings = { tls_policy: policy }
    const given = { id: id(3, 1), domain: 'example.com', expires_at: 0, ...certificate }
    await using _server = await serve(binary, configOf({ virtual_hosts, settings, certificates: { [id(3, 1)]: given } }))
    expect(await protocolOf(virtual_hosts[0]!.listen_port)).toBe(spoken)
    expect(codes({ virtual_hosts, settings, certificates: [{}] })).toEqual(spoken === undefined ? [] : ['weak_tls tls_policy'])
  })

  test.each([
    ['none localhost', '', true],
    ['localhost', '', false],
    ['~a\\.test', 'http://evil.test/?a.test', true],
    ['~^https?://a\\.test/', 'http://evil.test/?a.test', false],
  ])('valid_referers %s lets %j in: %s', async (valid_referers, referer, passes) => {
    const locations: LocationDraft[] = [
      { path: '/', custom_directives: { valid_referers, if: '($invalid_referer) { return 403; }', return: '200 in' } },
    ]
    await using server = await served({ locations })
    const header = referer === '' ? '' : `Referer: ${referer}\r\n`
    expect(status(await get(server.port, '/', 'localhost', header))).toBe(passes ? 200 : 403)
    const found = finds('valid_referers_none', { locations }) || finds('unanchored_regex', { locations })
    expect(found).toBe(passes)
  })

  test.each([
    ['~a\\.test$', 'nota.test', true],
    ['~^a\\.test', 'a.test.evil.test', true],
    ['~^(www\\.)?a\\.test$', 'nota.test', false],
  ])('unanchored_regex: the name %s takes %s: %s', async (server_name, name, taken) => {
    const locations: LocationDraft[] = [{ path: '/', custom_directives: { return: '200 in' } }]
    await using server = await served({ server_name, locations })
    expect((await get(server.port, '/', name)).includes(' 200 ')).toBe(taken)
    expect(finds('unanchored_regex', { server_name })).toBe(taken)
  })

  test.each([
    [{ allow: '10.0.0.0/8' }, 200, 'allow_without_deny'],
    [{ allow: '10.0.0.0/8', deny: 'all' }, 403, undefined],
    [{ deny: 'all', return: '200 in' }, 200, 'access_after_return'],
    [{ auth_basic: 'staff', auth_basic_user_file: '/nowhere', return: '200 in' }, 200, 'access_after_return'],
  ] as const)('who may enter by %j: %i', async (custom_directives, expected, code) => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'index.html'), 'in')
    const locations: LocationDraft[] = [{ path: '/', root: folder.path, custom_directives }]
    await using server = await served({ locations })
    expect(status(await get(server.port, '/'))).toBe(expected)
    expect(
      codes({ virtual_hosts: [host({ locations })] })
        .map((each) => each.split(' ')[0])
        .filter((each) => /^(allow|access)/.test(each!)),
    ).toEqual(code === undefined ? [] : [code])
  })

  test.each([
    [{}, 200, true],
    [{ proxy_ssl_verify: 'on', proxy_ssl_name: 'other.test' }, 502, false],
    [{ proxy_ssl_verify: 'on', proxy_ssl_name: 'example.com' }, 200, false],
  ])('unverified_upstream: with %j a self-signed upstream is answered with %i', async (verify, expected, told) => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'ca.pem'), certificate.certificate_pem)
    const { certificate_pem: cert, private_key_pem: key } = certificate
    const upstream = createTlsServer({ cert, key }, (_request, response) => response.end('ok'))
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const { port: to } = upstream.address() as { port: number }
    const custom_directives = { proxy_ssl_trusted_certificate: `${folder.path}/ca.pem`, ...verify }
    const locations: LocationDraft[] = [{ path: '/', proxy_pass: `https://127.0.0.1:${to}`, custom_directives }]
    {
      await using server = await served({ locations })
      expect(status(await get(server.port, '/'))).toBe(expected)
    }
    await new Promise((resolve) => upstream.close(resolve))
    expect(finds('unverified_upstream', { locations })).toBe(told)
  })

  test.each([
    ['on', true],
    ['off', false],
  ])('version_disclosure: server_tokens %s names the version: %s', async (server_tokens, told) => {
    const draft = { custom_directives: { server_tokens } }
    await using server = await served(draft)
    expect((await get(server.port, '/')).includes(`Server: nginx/${binary.facts.version}`)).toBe(told)
    expect(finds('version_disclosure', draft)).toBe(told)
  })

  test('plain_http_password: nginx asks for the password over plain HTTP, and takes it', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'users'), 'ann:{PLAIN}secret\n')
    writeFileSync(join(folder.path, 'index.html'), 'in')
    const custom_directives = { auth_basic: 'staff', auth_basic_user_file: `${folder.path}/users` }
    const locations: LocationDraft[] = [{ path: '/', root: folder.path, custom_directives }]
    await using server = await served({ locations })
    expect(await get(server.port, '/')).toMatch(/ 401 [^]*WWW-Authenticate: Basic/)
    expect(status(await get(server.port, '/', 'localhost', `Authorization: Basic ${btoa('ann:secret')}\r\n`))).toBe(200)
    expect(finds('plain_http_password', { locations })).toBe(true)
  })

  test('access_after_return: what guards the virtual host does not guard a return', async () => {
    const draft = { custom_directives: { deny: 'all' }, locations: [{ path: '/', custom_directives: { return: '200 in' } }] }
    await using server = await served(draft)
    expect(status(await get(server.port, '/'))).toBe(200)
    expect(finds('access_after_return', draft)).toBe(true)
  })

  test('dropped_inheritance: a location with one access rule or error page forgets all others', async () => {
    const custom_directives = { deny: '127.0.0.1', error_page: '403 404 =418 @tea' }
    const locations: LocationDraft[] = [
      { path: '/', root: '/nowhere' },
      { path: '/open/', root: '/nowhere', custom_directives: { allow: '10.0.0.0/8' } },
      { path: '/pages/', root: '/nowhere', custom_directives: { error_page: '500 /x' } },
      { path: '@tea', custom_directives: { return: '418' } },
    ]
    await using server = await served({ custom_directives, locations })
    expect(status(await get(server.port, '/'))).toBe(418)
    // Not found, where it was denied: and the page for that is the server's still.
    expect(await get(server.port, '/open/x')).toMatch(/ 418 /)
    expect(status(await get(server.port, '/pages/x'))).toBe(403)
    const found = lintOf({ virtual_hosts: [host({ custom_directives, locations })] }).filter(({ code }) => code === 'dropped_inheritance')
    expect(found.map(({ field }) => field)).toEqual(['locations.2.custom_directives.error_page', 'locations.1.custom_directives.allow'])
  })
})

/** What a client that knows only TLS 1.0 gets, or undefined where it is refused. */
async function protocolOf(port: number): Promise<string | null | undefined> {
  const options = { host: '127.0.0.1', port, servername: 'example.com', rejectUnauthorized: false } as const
  const socket = connect({ ...options, minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' })
  return await new Promise((resolve) => {
    socket.on('secureConnect', () => {
      resolve(socket.getProtocol())
      socket.destroy()
    })
    socket.on('error', () => resolve(undefined))
  })
}
