import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { freePort } from '@nxmesh/testkit/ports'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { startBackend } from './support/backend.ts'
import { type ConfigDraft, configOf, id } from './support/config.ts'
import { codes, host, lintOf } from './support/lint.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve, temporaryFolder, testRendered } from './support/real-nginx.ts'

type HostDraft = NonNullable<ConfigDraft['virtual_hosts']>[number]
type LocationDraft = NonNullable<HostDraft['locations']>[number]

const status = (answer: string) => Number(answer.split(' ')[1])
const body = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4)

/** A location that answers with its place. */
const numbered = (path: string, at: number): LocationDraft => ({ path, custom_directives: { return: `200 "at ${at}."` } })

const words = ['/', '/a', '/a/', '/a/b', '/A', '/ab', '/abc', '/b', '/a.php', '/a/b.php', '/a/b/c.php']
const patterns = [
  '^/',
  '^/a',
  '^/a/',
  '^/a/b',
  '\\.php',
  '\\.php$',
  '^/a.*',
  '.*',
  '^/a/b?',
  '^/(a|b)',
  'b',
  '^/a$',
  '^/ab?c',
  '^/A',
  '^/a\\.php$',
  '^/a|^/b',
  '^/a|^/bc',
]
const path = fc.oneof(
  fc.tuple(fc.constantFrom('', '= ', '^~ '), fc.constantFrom(...words)),
  fc.tuple(fc.constantFrom('~ ', '~* '), fc.constantFrom(...patterns)),
)

describe.each(binaries)('nginx $facts.version', (binary) => {
  const served = async (draft: Partial<HostDraft>) => {
    const port = await freePort()
    const server = await serve(binary, configOf({ virtual_hosts: [host({ server_name: 'localhost', listen_port: port, ...draft })] }))
    return { port, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
  }

  test('shadowed_location: no request reaches what it names, whatever the locations are', async () => {
    const port = await freePort()
    const drafts = fc.sample(
      fc.array(
        path.map((parts) => parts.join('')),
        { minLength: 2, maxLength: 6 },
      ),
      { numRuns: 150, seed: 11 },
    )
    const virtual_hosts = drafts.map((all, at) =>
      host({ server_name: `h${at}.test`, listen_port: port, locations: [...new Set(all)].map(numbered) }),
    )
    // Two that nginx takes for one are refused when they are written.
    const rendered = configOf({ virtual_hosts })
    await using _server = await serve(binary, rendered)
    let dead = 0
    for (const [at, { locations = [] }] of virtual_hosts.entries()) {
      const found = lintOf({ virtual_hosts: [{ ...virtual_hosts[at]!, server_name: 'a.test' }] }).filter(
        ({ code }) => code === 'shadowed_location',
      )
      const answers = await Promise.all(words.map(async (uri) => body(await get(port, uri, `h${at}.test`))))
      for (const { field } of found) {
        const place = Number(field.split('.')[1])
        expect(answers, `${locations[place]!.path} is not dead`).not.toContain(`at ${place}.`)
        dead++
      }
    }
    expect(dead).toBeGreaterThan(50)
  })

  test('if_is_evil: an if that holds turns try_files off', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'fallback.html'), 'fallback')
    const locations: LocationDraft[] = [
      { path: '/', root: folder.path, custom_directives: { try_files: '/missing /fallback.html =404', if: '($arg_a) { set $x 1; }' } },
    ]
    await using server = await served({ locations })
    expect(body(await get(server.port, '/any'))).toBe('fallback')
    expect(status(await get(server.port, '/any?a=1'))).toBe(404)
    expect(codes({ virtual_hosts: [host({ locations })] })).toEqual(['if_is_evil locations.0.custom_directives.if'])
  })

  test('try_files_with_proxy: a file that is found is not sent', async () => {
    await using backend = await startBackend()
    using folder = temporaryFolder()
    mkdirSync(join(folder.path, 'a'))
    writeFileSync(join(folder.path, 'a/found.txt'), 'the file')
    const tries = { try_files: '$uri @app' }
    const locations: LocationDraft[] = [
      { path: '/a/', root: folder.path, proxy_pass: backend.address, custom_directives: tries },
      { path: '@app', proxy_pass: backend.address },
    ]
    await using server = await served({ locations })
    expect(body(await get(server.port, '/a/found.txt'))).toContain('url /a/found.txt')
    expect(codes({ virtual_hosts: [host({ locations })] })).toEqual(['try_files_with_proxy locations.0.custom_directives.try_files'])
  })

  test.each([
    ['/', true],
    ['', false],
  ])('hazard 53: normalised_path: an address that ends in "%s" decodes what is sent on: %s', async (end, decodes) => {
    const seen: string[] = []
    const upstream = createServer((request, response) => {
      seen.push(request.url!)
      response.end('ok')
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const { port: to } = upstream.address() as { port: number }
    const locations: LocationDraft[] = [{ path: '/', proxy_pass: `http://127.0.0.1:${to}${end}` }]
    {
      await using server = await served({ locations })
      await get(server.port, '/x%2Fy%2520z/../q')
    }
    await new Promise((resolve) => upstream.close(resolve))
    expect(seen).toEqual([decodes ? '/x/q' : '/x%2Fy%2520z/../q'])
    expect(codes({ virtual_hosts: [host({ locations })] })).toEqual(decodes ? ['normalised_path locations.0.proxy_pass'] : [])
  })

  test('missing_resolver: a name out of a variable is answered with 502', async () => {
    const locations: LocationDraft[] = [{ path: '~ ^/(localhost|b)$', proxy_pass: 'http://$1:8080/' }]
    await using server = await served({ locations })
    expect(status(await get(server.port, '/localhost'))).toBe(502)
    expect(codes({ virtual_hosts: [host({ locations })] })).toContain('missing_resolver locations.0.proxy_pass')
  })

  test('upstream_down: nginx takes it and answers 502', async () => {
    const upstreams = [{ servers: [{ address: '127.0.0.1:8080', down: true }] }]
    const port = await freePort()
    const virtual_hosts = [host({ server_name: 'localhost', listen_port: port, locations: [{ path: '/', upstream_id: id(2, 1) }] })]
    await using _server = await serve(binary, configOf({ virtual_hosts, upstreams }))
    expect(status(await get(port, '/'))).toBe(502)
    expect(codes({ virtual_hosts, upstreams })).toEqual(['upstream_down servers'])
  })

  test('hazard 33: duplicate_server_name: the younger of two is told of, and nginx says the same', () => {
    const virtual_hosts = [
      host({ server_name: '.a.test' }),
      host({ server_name: 'b.test a.test' }),
      host({ server_name: '*.c.test' }),
      host({ server_name: 'x.c.test' }),
    ]
    const { output } = testRendered(binary, configOf({ virtual_hosts: virtual_hosts.map((each) => ({ ...each, listen_port: 18480 })) }))
    expect([...output.matchAll(/conflicting server name "([^"]+)"/g)].map((match) => match[1])).toEqual(['a.test'])
    const found = lintOf({ virtual_hosts }).filter(({ code }) => code === 'duplicate_server_name')
    expect(found.map(({ object, field }) => [object.id, field])).toEqual([[id(1, 2), 'server_name']])
  })
})
