import { freePort } from '@nxmesh/testkit/ports'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkVirtualHost } from '../src/check.ts'
import { parse } from '../src/parse.ts'
import { print } from '../src/print.ts'
import { dollarDefinition, literal, quote } from '../src/quote.ts'
import { configOf } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve, serveHttp, testHttp, testRendered } from './support/real-nginx.ts'

const latin1 = (text: string) => Buffer.from(text).toString('latin1')
const body = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4)

const awkward = fc.string({
  unit: fc.oneof(
    fc.constantFrom('"', "'", '\\', '$', '{', '}', ';', '#', ' ', '\n', '\r', '\t', 'n', 'r', 't', 'host', '${', 'é', '\u00a0', ')'),
    fc.string(),
  ),
  minLength: 1,
  maxLength: 40,
})

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('hazard 20, 21: any text that is quoted as literal text is served byte for byte', async () => {
    const texts = fc.sample(awkward, { numRuns: 300, seed: 7 })
    const locations = texts.map((text, at) => `location = /${at} { return 200 ${literal(text)}; }`).join('\n')
    await using server = await serveHttp(
      binary,
      (socket) => `${dollarDefinition} server { listen unix:${socket}; default_type text/plain;\n${locations}\n}`,
    )
    for (const [at, text] of texts.entries()) expect(body(await get(server.socket, `/${at}`))).toBe(latin1(text))
  })

  test('hazard 20: the parser reads tokens as nginx does', () => {
    const pieces = fc.array(
      fc.constantFrom(';', '{', '}', '"', "'", '\\', '$', '#', ' ', '\n', 'a', 'b', '${', ')', 'n', 't', '=', '\u00a0'),
      {
        minLength: 1,
        maxLength: 14,
      },
    )
    for (const sample of fc.sample(pieces, { numRuns: 80, seed: 11 })) {
      const text = `zz${sample.join('')}`
      const { output } = testHttp(binary, text)
      const parsed = parse(text)
      // Inside http nginx stops at the first statement: it knows none of these names, and says which.
      const named = /unknown directive "([^]*)" in \//.exec(output)?.[1]
      if (named !== undefined) expect(firstName(text)).toBe(named)
      else expect(parsed.ok, `${JSON.stringify(text)}: ${output}`).toBe(false)
    }
  })

  test('hazard 21: a dollar sign in a header is served, and a variable is expanded', async () => {
    const port = await freePort()
    const config = configOf({
      virtual_hosts: [
        {
          server_name: 'localhost',
          listen_port: port,
          locations: [{ path: '/', custom_headers: [{ name: 'X-Price', value: '5$ on $host, $' }], custom_directives: { return: '200' } }],
        },
      ],
    })
    await using _server = await serve(binary, config)
    expect(await get(port, '/')).toContain('\r\nX-Price: 5$ on localhost, $\r\n')
  })

  test('hazard 22: what looks like an escaped line break adds no header', async () => {
    const port = await freePort()
    const config = configOf({
      virtual_hosts: [{ server_name: 'localhost', listen_port: port, locations: [{ path: '/', custom_directives: { return: '200' } }] }],
    })
    config.virtual_hosts[0]!.locations[0]!.custom_headers = [{ name: 'X-A', value: String.raw`a\r\nX-Injected: b`, always: true }]
    await using _server = await serve(binary, config)
    const answer = await get(port, '/')
    expect(answer).toContain(String.raw`X-A: a\r\nX-Injected: b`)
    expect(answer).not.toContain('\r\nX-Injected')
  })

  test('hazard 22: headers and redirects with real line breaks are left out', async () => {
    const port = await freePort()
    const config = configOf({
      virtual_hosts: [
        {
          server_name: 'localhost',
          listen_port: port,
          locations: [{ path: '/', custom_directives: { return: '200' } }, { path: '/r' }],
        },
      ],
    })
    const [root, redirect] = config.virtual_hosts[0]!.locations
    root!.custom_headers = [
      { name: 'X-A', value: 'a\r\nX-Injected: b', always: true },
      { name: 'X-B: b\r\nX-Injected', value: 'b', always: true },
    ]
    redirect!.rewrite_rules = [{ pattern: '^', replacement: '/x\r\nX-Injected: b', flag: 'redirect' }]
    await using server = await serve(binary, config)
    expect(await get(port, '/')).not.toContain('X-Injected')
    expect(await get(port, '/r')).not.toContain('X-Injected')
    expect(server.rendered.findings.map(({ field }) => field)).toEqual([
      'locations.0.custom_headers.0',
      'locations.0.custom_headers.1',
      'locations.1.rewrite_rules.0.replacement',
    ])
  })

  test('hazard 23: a directive that closes its block is refused, and left out where it comes anyway', () => {
    const evil = { deny: 'all; } } server { listen 1; location / { deny all', allow: 'all; # }' }
    const config = configOf({
      virtual_hosts: [{ server_name: 'a.test', listen_port: 18480, locations: [{ path: '/', root: '/srv', custom_directives: evil }] }],
    })
    expect(checkVirtualHost(config.virtual_hosts[0]!)).toHaveLength(2)
    const { output, rendered } = testRendered(binary, config)
    expect(output).toContain('test is successful')
    expect(rendered.findings.map(({ field }) => field)).toEqual([
      'locations.0.custom_directives.deny',
      'locations.0.custom_directives.allow',
    ])
    expect(rendered.files[0]!.text).not.toContain('listen 1;')
  })

  test('hazard 24: braces, quotes and ${ in regular expressions', async () => {
    const port = await freePort()
    const location = (path: string, text: string) => ({ path, custom_directives: { return: `200 ${text}` } })
    const config = configOf({
      virtual_hosts: [
        {
          server_name: 'localhost',
          listen_port: port,
          locations: [
            location(String.raw`~ ^/\d{3}$`, 'digits'),
            location(String.raw`~ \.php$`, 'php'),
            location(String.raw`~ ^/a(;|"|'){2}$`, 'odd'),
            { path: '/r', rewrite_rules: [{ pattern: '^/r(x{2})$', replacement: '/123', flag: 'last' }] },
          ],
        },
      ],
    })
    await using _server = await serve(binary, config)
    expect(body(await get(port, '/123'))).toBe('digits')
    expect(body(await get(port, '/x.php'))).toBe('php')
    expect(body(await get(port, `/a;'`))).toBe('odd')
    expect(body(await get(port, '/rxx'))).toBe('digits')
    expect(await get(port, '/rx')).toContain('404')
  })

  test('hazard 25: what the check lets through is short enough for nginx, quotes included', () => {
    const host = (value: string) =>
      configOf({
        virtual_hosts: [
          { server_name: 'a.test', listen_port: 18480, locations: [{ path: '/', root: '/srv', custom_headers: [{ name: 'X-A', value }] }] },
        ],
      })
    const longest = host(`${'"'.repeat(2043)}é`)
    expect(checkVirtualHost(longest.virtual_hosts[0]!)).toEqual([])
    expect(testRendered(binary, longest).ok).toBe(true)
    const tooLong = host('"'.repeat(2100))
    expect(checkVirtualHost(tooLong.virtual_hosts[0]!)).toMatchObject([{ field: 'locations.0.custom_headers.0.value', code: 'TOO_LONG' }])
    expect(testRendered(binary, tooLong).output).toContain('too long')
  })

  test('hazard 26: only space, tab, CR and LF separate tokens', () => {
    const parsed = parse('x\u00a0y z;')
    expect(parsed.ok && parsed.tree.directives[0]!.name).toBe('x\u00a0y')
    expect(testHttp(binary, 'x\u00a0y z;').output).toContain('unknown directive "x\u00a0y"')
    expect(testHttp(binary, 'map $host\r\n$x\t{\r\ndefault 1;\r\n}\r\n').ok).toBe(true)
    const crlf = 'map $host\r\n$x\t{\r\ndefault 1;\r\n}\r\n'
    const tree = parse(crlf)
    expect(tree.ok && print(tree.tree)).toBe(crlf)
  })
})

function firstName(text: string): string {
  // Up to the first statement, as nginx looks no further.
  for (let end = 1; end <= text.length; end++) {
    for (const closing of ['', '}']) {
      const parsed = parse(text.slice(0, end) + closing)
      if (parsed.ok && parsed.tree.directives[0]) return parsed.tree.directives[0].name
    }
  }
  return `(no statement in ${quote(text)})`
}
