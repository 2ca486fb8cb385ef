import { connect, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { render } from '../src/render.ts'
import { certificate } from './support/certificate.ts'
import { type ConfigDraft, configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { serve, targetFor, testRendered } from './support/real-nginx.ts'

type Host = NonNullable<ConfigDraft['virtual_hosts']>[number]

const certificates = { [id(3, 1)]: { id: id(3, 1), domain: 'example.com', ...certificate, expires_at: 0 } }
const tls = { ssl_enabled: true, ssl_certificate_id: id(3, 1) }
const answering = (host: Omit<Host, 'locations'>): Host => ({
  ...host,
  locations: [{ path: '/', custom_directives: { return: '200 "$remote_addr $proxy_protocol_addr"' } }],
})
const trusting = { accept_proxy_protocol: { trusted: ['127.0.0.0/8'] } }
const spoken = 'PROXY TCP4 192.0.2.7 198.51.100.1 40000 80\r\n'
// Source: haproxy.org, "The PROXY protocol", section 2.2.
const frame2 = Buffer.concat([
  Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'),
  Buffer.from([0x21, 0x11, 0, 12, 192, 0, 2, 8, 198, 51, 100, 1, 0x9c, 0x40, 0, 80]),
])

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('hazard 36: the client is who the proxy in front says, in both versions of the protocol, with TLS and without', async () => {
    const [port, secure, plain] = [await freePort(), await freePort(), await freePort()]
    const config = configOf({
      certificates,
      settings: { http_port: plain },
      virtual_hosts: [
        answering({ server_name: 'a.test', listen_port: port, ...trusting }),
        answering({ server_name: 'b.test', listen_port: port, accept_proxy_protocol: { trusted: [] } }),
        answering({
          ...tls,
          server_name: 'example.com',
          listen_port: secure,
          http2_enabled: true,
          tls: { redirect_http: true },
          ...trusting,
        }),
      ],
    })
    await using server = await serve(binary, config)
    expect(server.rendered.findings).toEqual([])
    expect(await ask(port, 'a.test', spoken)).toBe('192.0.2.7 192.0.2.7')
    expect(await ask(port, 'a.test', frame2)).toBe('192.0.2.8 192.0.2.8')
    expect(await ask(port, 'b.test', spoken)).toBe('127.0.0.1 192.0.2.7')
    expect(await ask(port, 'a.test', '')).toBe('')
    expect(await ask(port, 'nobody.test', spoken)).toBe('')
    expect(await ask(secure, 'example.com', spoken, 'tls')).toBe('192.0.2.7 192.0.2.7')
    expect(await whole(plain, 'example.com', spoken)).toContain(`Location: https://example.com:${secure}/`)
    expect(await whole(plain, 'example.com', '')).toBe('')
  })

  test('hazard 36: the first host of an address decides whether the PROXY protocol is spoken there', async () => {
    const [port, secure] = [await freePort(), await freePort()]
    const config = configOf({
      certificates,
      settings: { http_port: port },
      virtual_hosts: [
        answering({ server_name: 'a.test', listen_port: port }),
        answering({ server_name: 'one.test', listen_port: port, listen_addresses: ['127.0.0.2'], ...trusting }),
        answering({ server_name: 'late.test', listen_port: port, listen_addresses: ['127.0.0.2', '127.0.0.3'] }),
        answering({ server_name: 'none.test', listen_port: port, ...trusting }),
        answering({ ...tls, server_name: 'example.com', listen_port: secure, tls: { redirect_http: true }, ...trusting }),
      ],
    })
    await using server = await serve(binary, config)
    const name = (at: number) => config.virtual_hosts[at - 1]!.name
    expect(server.rendered.findings.map(({ severity, id: at, field, message }) => [severity, at, field, message])).toEqual([
      [
        'error',
        id(1, 3),
        'accept_proxy_protocol',
        `does not listen on 127.0.0.2: port ${port} on 127.0.0.2 speaks the PROXY protocol for "${name(2)}"`,
      ],
      ['error', id(1, 4), 'accept_proxy_protocol', `is left out: port ${port} does not speak the PROXY protocol for "${name(1)}"`],
      ['warning', id(1, 5), 'accept_proxy_protocol', `plain HTTP on port ${port} takes no PROXY protocol, as others there do not agree`],
    ])
    expect(await ask(port, 'a.test', '')).toBe('127.0.0.1 ')
    expect(await ask(port, 'one.test', spoken, 'plain', '127.0.0.2')).toBe('192.0.2.7 192.0.2.7')
    expect(await ask(port, 'late.test', '', 'plain', '127.0.0.3')).toBe('127.0.0.1 ')
    expect(await whole(port, 'example.com', '')).toContain('Location: https://example.com')
  })

  test('rules by address see the client, and nginx has nothing to warn of', async () => {
    const port = await freePort()
    const access = { rules: [{ action: 'deny' as const, address: '192.0.2.7' }] }
    const both = { listen_port: port, ...tls, ...trusting }
    const hosts: Host[] = [
      {
        ...both,
        server_name: 'example.com',
        access,
        locations: [{ path: '/', root: '/nowhere' }],
        http2_enabled: true,
        http3_enabled: true,
      },
      answering({ ...both, server_name: 'b.example.com' }),
    ]
    const config = configOf({ certificates, virtual_hosts: hosts })
    for (const mode of ['owned', 'include'] as const) {
      const { output } = testRendered(binary, config, { mode })
      expect(output).toContain('test is successful')
      expect(output.replaceAll(/.*(?:ssl_stapling|conflicting).*\n/g, '')).not.toContain('[warn]')
    }
    await using _server = await serve(binary, config)
    expect(await whole(port, 'example.com', spoken, 'tls')).toContain('403 Forbidden')
    expect(await whole(port, 'example.com', frame2, 'tls')).toContain('404 Not Found')
  })
})

test('an nginx that cannot take the proxies’ word leaves the host out', () => {
  const facts = { ...binaries[0]!.facts, supports: { ...binaries[0]!.facts.supports, realip: false } }
  const config = configOf({
    virtual_hosts: [
      { server_name: 'a.test', listen_port: 80, ...trusting },
      { server_name: 'b.test', listen_port: 80, accept_proxy_protocol: { trusted: [] } },
    ],
  })
  const { files, findings } = render(config, targetFor({ facts, path: '' }, '/run/nxmesh'))
  expect(findings).toMatchObject([{ severity: 'error', id: id(1, 1), field: 'accept_proxy_protocol.trusted' }])
  expect(files[0]!.text).toContain('server_name b.test;')
})

async function ask(
  port: number,
  host: string,
  first: string | Buffer,
  kind: 'plain' | 'tls' = 'plain',
  address = '127.0.0.1',
): Promise<string> {
  const answer = await whole(port, host, first, kind, address)
  return answer.split('\r\n\r\n')[1] ?? ''
}

/** Sends bytes before the request as a proxy in front would, before the TLS handshake where there is one. */
function whole(
  port: number,
  host: string,
  first: string | Buffer,
  kind: 'plain' | 'tls' = 'plain',
  address = '127.0.0.1',
): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const line = connect({ host: address, port }, () => {
      line.write(first)
      if (kind === 'plain') return talk(line)
      const secure = tlsConnect({ socket: line, servername: host, rejectUnauthorized: false }, () => talk(secure))
      secure.on('error', reject)
    })
    line.on('error', reject)
    function talk(socket: Socket) {
      socket.on('data', (data) => (answer += data.toString()))
      socket.on('close', () => resolve(answer))
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    }
  })
}
