import { generateKeyPairSync } from 'node:crypto'
import { connect as tlsConnect } from 'node:tls'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { explainOutput } from '../src/explain-output.ts'
import { certificate } from './support/certificate.ts'
import { configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve, testRendered } from './support/real-nginx.ts'

const certificates = { [id(3, 1)]: { id: id(3, 1), domain: 'example.com', ...certificate, expires_at: 0 } }
const answers = (text: string) => [{ path: '/', custom_directives: { return: `200 ${text}` } }]
const body = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4)

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('hazard 32: of two virtual hosts named "_" one is the default of the port', () => {
    const config = configOf({
      virtual_hosts: [
        { server_name: '_', listen_port: 18480, locations: answers('one') },
        { server_name: '_ b.test', listen_port: 18480, locations: answers('two') },
      ],
    })
    const { output, rendered } = testRendered(binary, config)
    expect(output).toContain('test is successful')
    expect(rendered.findings[0]).toMatchObject({ severity: 'warning', id: id(1, 2), field: 'server_name' })
  })

  test('hazard 33: nginx only warns of a name that two hosts claim; the finding names the one that loses', () => {
    const config = configOf({
      virtual_hosts: [
        { server_name: 'a.test', listen_port: 18480 },
        { server_name: 'b.test a.test', listen_port: 18480 },
      ],
    })
    const { output, rendered } = testRendered(binary, config)
    expect(explainOutput(output, rendered)).toMatchObject([
      { severity: 'warning', kind: 'virtual_host', id: id(1, 2), field: 'server_name' },
    ])
  })

  test('hazard 34: a name that nobody has is not answered, whatever the order of the hosts', async () => {
    const [port, tlsPort] = [await freePort(), await freePort()]
    const config = configOf({
      certificates,
      virtual_hosts: [
        { server_name: 'a.test', listen_port: port, locations: answers('a') },
        { server_name: 'example.com', listen_port: tlsPort, ssl_enabled: true, ssl_certificate_id: id(3, 1), locations: answers('tls') },
      ],
    })
    await using _server = await serve(binary, config)
    expect(body(await get(port, '/', 'a.test'))).toBe('a')
    expect(await get(port, '/', 'other.test')).toBe('')
    expect(body(await getTls(tlsPort, 'example.com'))).toBe('tls')
    const other = await getTls(tlsPort, 'other.test').catch(String)
    if (binary.facts.supports.reject_handshake) expect(other).toContain('unrecognized name')
    else expect(other).toBe('')
  })

  test('hazard 34: a host named "_" answers for every other name', async () => {
    const port = await freePort()
    const config = configOf({
      virtual_hosts: [
        { server_name: 'a.test', listen_port: port, locations: answers('a') },
        { server_name: '_', listen_port: port, locations: answers('rest') },
      ],
    })
    await using _server = await serve(binary, config)
    expect(body(await get(port, '/', 'a.test'))).toBe('a')
    expect(body(await get(port, '/', 'other.test'))).toBe('rest')
  })

  test('hazard 36: a host without TLS on a port that speaks it is left out and reported', () => {
    const config = configOf({
      certificates,
      virtual_hosts: [
        { server_name: 'example.com', listen_port: 18443, ssl_enabled: true, ssl_certificate_id: id(3, 1) },
        { server_name: 'plain.test', listen_port: 18443 },
      ],
    })
    const { output, rendered } = testRendered(binary, config)
    expect(output).toContain('test is successful')
    expect(rendered.findings).toMatchObject([{ severity: 'error', id: id(1, 2), field: 'ssl_enabled' }])
  })

  test('hazard 37: HTTP/2 is written as this version wants it', async () => {
    const port = await freePort()
    const host = { listen_port: port, ssl_enabled: true, ssl_certificate_id: id(3, 1) }
    const config = configOf({
      certificates,
      virtual_hosts: [
        { ...host, server_name: 'example.com', http2_enabled: true, locations: answers('two') },
        { ...host, server_name: 'one.example.com', locations: answers('one') },
      ],
    })
    await using server = await serve(binary, config)
    expect(await protocolOf(port, 'example.com')).toBe('h2')
    const { http2_directive } = binary.facts.supports
    expect(await protocolOf(port, 'one.example.com')).toBe(http2_directive ? 'http/1.1' : 'h2')
    expect(server.rendered.findings.map(({ field }) => field)).toEqual(http2_directive ? [] : ['http2_enabled'])
  })

  test('hazard 39, 40: several hosts with HTTP/3 share one socket', () => {
    const host = { listen_port: 18443, ssl_enabled: true, ssl_certificate_id: id(3, 1), http3_enabled: true }
    const config = configOf({
      certificates,
      virtual_hosts: [
        { ...host, server_name: 'example.com' },
        { ...host, server_name: 'b.example.com' },
      ],
    })
    for (const mode of ['owned', 'include'] as const) {
      const { output, rendered } = testRendered(binary, config, { mode })
      expect(output).toContain('test is successful')
      const quic = binary.facts.supports.http3
      expect(rendered.listens.some(({ transport }) => transport === 'udp')).toBe(quic)
      expect(rendered.files[0]!.text.split('reuseport').length - 1).toBe(quic ? 1 : 0)
      if (!quic) expect(rendered.findings).toMatchObject([{ field: 'http3_enabled' }, { field: 'http3_enabled' }])
    }
  })

  test('hazard 41: long names and many names need no more than what is rendered', () => {
    const long = (at: number) => `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.x${at}`
    const few = configOf({ virtual_hosts: [1, 2].map((at) => ({ server_name: long(at), listen_port: 18480 })) })
    expect(testRendered(binary, few).output).not.toMatch(/emerg|warn/)
    const many = configOf({
      virtual_hosts: [{ server_name: Array.from({ length: 400 }, (_, at) => `host-${at}.example.com`).join(' '), listen_port: 18480 }],
    })
    const host = many.virtual_hosts[0]!
    many.virtual_hosts = Array.from({ length: 25 }, (_, at) => ({
      ...host,
      id: id(1, at),
      server_name: host.server_name.replaceAll('host-', `h${at}-`),
    }))
    expect(testRendered(binary, many).output).not.toMatch(/emerg|warn/)
  })

  test('hazard 43: a name in any script is matched by what browsers send', async () => {
    const port = await freePort()
    await using _server = await serve(
      binary,
      configOf({ virtual_hosts: [{ server_name: 'bücher.test', listen_port: port, locations: answers('ok') }] }),
    )
    expect(body(await get(port, '/', 'xn--bcher-kva.test'))).toBe('ok')
  })

  test('hazard 77: a key that does not fit, or is none, is traced to the host that uses it', () => {
    const material = { id: id(3, 1), domain: 'example.com', ...certificate, expires_at: 0 }
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    const keys = [privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 'not a key']
    for (const private_key_pem of keys) {
      const config = configOf({
        certificates: { [id(3, 1)]: { ...material, private_key_pem } },
        virtual_hosts: [
          { server_name: 'a.test', listen_port: 18480 },
          { server_name: 'example.com', listen_port: 18443, ssl_enabled: true, ssl_certificate_id: id(3, 1) },
        ],
      })
      const { ok, output, rendered } = testRendered(binary, config)
      expect(ok).toBe(false)
      expect(explainOutput(output, rendered)[0]).toMatchObject({ severity: 'error', id: id(1, 2), field: 'ssl_certificate_id' })
    }
  })

  test('hazard 76: a host whose certificate is not here is left out, the others serve', () => {
    const config = configOf({
      virtual_hosts: [
        { server_name: 'example.com', listen_port: 18443, ssl_enabled: true, ssl_certificate_id: id(3, 9) },
        { server_name: 'a.test', listen_port: 18480 },
      ],
    })
    const { output, rendered } = testRendered(binary, config)
    expect(output).toContain('test is successful')
    expect(rendered.findings).toMatchObject([{ severity: 'error', id: id(1, 1), field: 'ssl_certificate_id' }])
    expect(rendered.listens).toEqual([{ port: 18480, transport: 'tcp' }])
  })
})

async function getTls(port: number, servername: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = tlsConnect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false }, () =>
      socket.write(`GET / HTTP/1.1\r\nHost: ${servername}\r\nConnection: close\r\n\r\n`),
    )
    let answer = ''
    socket.on('data', (data) => (answer += data.toString()))
    socket.on('error', reject)
    socket.on('close', () => resolve(answer))
  })
}

async function protocolOf(port: number, servername: string): Promise<string | false | null> {
  return await new Promise((resolve, reject) => {
    const socket = tlsConnect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] }, () => {
      resolve(socket.alpnProtocol)
      socket.destroy()
    })
    socket.on('error', reject)
  })
}
