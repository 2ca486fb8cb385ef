import { connect } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { certificate } from './support/certificate.ts'
import { type ConfigDraft, configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { serve, testRendered } from './support/real-nginx.ts'

type Host = NonNullable<ConfigDraft['virtual_hosts']>[number]

const certificates = { [id(3, 1)]: { id: id(3, 1), domain: 'example.com', ...certificate, expires_at: 0 } }
const tls = { ssl_enabled: true, ssl_certificate_id: id(3, 1) }
const answering = (text: string, host: Omit<Host, 'locations'>): Host => ({
  ...host,
  locations: [{ path: '/', custom_directives: { return: `200 ${text}` } }],
})

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('hazard 35: a host on one address answers there and nowhere else, before one on all addresses', async () => {
    const port = await freePort()
    const config = configOf({
      virtual_hosts: [
        answering('all', { server_name: 'a.test', listen_port: port }),
        answering('one', { server_name: 'a.test', listen_port: port, listen_addresses: ['127.0.0.2'] }),
        answering('two', { server_name: 'b.test', listen_port: port, listen_addresses: ['127.0.0.3', '127.0.0.2'] }),
      ],
    })
    await using server = await serve(binary, config)
    expect(server.rendered.listens).toEqual([{ port, transport: 'tcp' }])
    expect(await ask('127.0.0.1', port, 'a.test')).toBe('all')
    expect(await ask('127.0.0.2', port, 'a.test')).toBe('one')
    expect(await ask('127.0.0.2', port, 'b.test')).toBe('two')
    expect(await ask('127.0.0.3', port, 'b.test')).toBe('two')
    expect(await ask('127.0.0.1', port, 'b.test')).toBe('')
    expect(await ask('127.0.0.3', port, 'a.test')).toBe('')
  })

  test('a port on which all hosts want single addresses is not opened on others', async () => {
    const port = await freePort()
    const config = configOf({
      virtual_hosts: [
        answering('one', { server_name: '_', listen_port: port, listen_addresses: ['127.0.0.2'] }),
        answering('six', { server_name: 'a.test', listen_port: port, listen_addresses: ['0:0::1'] }),
      ],
    })
    await using server = await serve(binary, config, { ipv6: true })
    expect(server.rendered.listens).toEqual([
      { port, transport: 'tcp', address: '127.0.0.2' },
      { port, transport: 'tcp', address: '::1' },
    ])
    expect(await ask('127.0.0.2', port, 'whatever.test')).toBe('one')
    expect(await ask('::1', port, 'a.test')).toBe('six')
    expect(await ask('::1', port, 'whatever.test')).toBe('')
    await expect(ask('127.0.0.1', port, 'a.test')).rejects.toThrow('ECONNREFUSED')
  })

  test('hazard 45: an address that the machine does not have leaves out its host, and no other', () => {
    const config = configOf({
      virtual_hosts: [
        { server_name: 'a.test', listen_port: 18480, listen_addresses: ['192.0.2.5'] },
        { server_name: 'b.test', listen_port: 18480, listen_addresses: ['127.0.0.1', '192.0.2.5'] },
        { server_name: 'c.test', listen_port: 18480, listen_addresses: ['2001:db8::1'] },
      ],
    })
    expect(testRendered(binary, config, { ipv6: true }).output).toContain('Cannot assign requested address')
    const { output, rendered } = testRendered(binary, config, { absent_addresses: ['192.0.2.5'] })
    expect(output).toContain('test is successful')
    expect(output).not.toContain('warn')
    expect(rendered.findings.map(({ severity, id: at, field, message }) => [severity, at, field, message])).toEqual([
      ['error', id(1, 1), 'listen_addresses.0', 'is left out: this machine does not have the address 192.0.2.5'],
      ['error', id(1, 2), 'listen_addresses.1', 'does not listen on 192.0.2.5: this machine does not have the address 192.0.2.5'],
      ['error', id(1, 3), 'listen_addresses.0', 'is left out: this machine has no IPv6'],
    ])
    expect(rendered.health.absent_addresses).toEqual(['192.0.2.5'])
  })

  test('TLS, HTTP/2, redirects and names that nobody has are decided for each address', async () => {
    const [port, plain] = [await freePort(), await freePort()]
    const config = configOf({
      certificates,
      settings: { http_port: plain },
      virtual_hosts: [
        answering('all', { ...tls, server_name: 'all.test', listen_port: port }),
        answering('one', {
          ...tls,
          server_name: 'example.com',
          listen_port: port,
          listen_addresses: ['127.0.0.2'],
          http2_enabled: true,
          tls: { redirect_http: true },
        }),
        answering('plain', { server_name: 'example.com', listen_port: plain, listen_addresses: ['127.0.0.3'] }),
      ],
    })
    await using server = await serve(binary, config)
    expect(server.rendered.findings).toEqual([])
    expect(await askTls('127.0.0.1', port, 'all.test')).toEqual({ body: 'all', protocol: 'http/1.1' })
    expect(await askTls('127.0.0.2', port, 'example.com')).toMatchObject({ protocol: 'h2' })
    await expect(askTls('127.0.0.2', port, 'all.test').then(({ body }) => body || Promise.reject(new Error('closed')))).rejects.toThrow(
      Error,
    )
    expect(await askWhole('127.0.0.2', plain, 'example.com')).toContain(`Location: https://example.com:${port}/`)
    expect(await ask('127.0.0.3', plain, 'example.com')).toBe('plain')
    await expect(ask('127.0.0.1', plain, 'example.com')).rejects.toThrow('ECONNREFUSED')
  })

  test('hazard 36: TLS is spoken on some addresses of a port and not on others, and the first host of an address decides', async () => {
    const port = await freePort()
    const config = configOf({
      certificates,
      settings: { http_port: port },
      virtual_hosts: [
        answering('all', { server_name: 'a.test', listen_port: port }),
        answering('secret', {
          ...tls,
          server_name: 'example.com',
          listen_port: port,
          listen_addresses: ['127.0.0.2'],
          http2_enabled: true,
        }),
        answering('late', { server_name: 'a.test', listen_port: port, listen_addresses: ['127.0.0.2', '127.0.0.3'] }),
        answering('none', { ...tls, server_name: 'b.test', listen_port: port }),
        answering('elsewhere', {
          ...tls,
          server_name: 'c.test',
          listen_port: port + 1,
          listen_addresses: ['127.0.0.2'],
          tls: { redirect_http: true },
        }),
      ],
    })
    await using server = await serve(binary, config)
    expect(server.rendered.findings.map(({ severity, id: at, field, message }) => [severity, at, field, message])).toEqual([
      ['error', id(1, 3), 'ssl_enabled', `does not listen on 127.0.0.2: port ${port} on 127.0.0.2 speaks TLS for "${nameOf(2)}"`],
      ['error', id(1, 4), 'ssl_enabled', `is left out: port ${port} does not speak TLS for "${nameOf(1)}"`],
      ['error', id(1, 5), 'tls.redirect_http', `nothing is answered over plain HTTP on 127.0.0.2: port ${port} speaks TLS`],
    ])
    expect(await ask('127.0.0.1', port, 'a.test')).toBe('all')
    expect(await ask('127.0.0.3', port, 'a.test')).toBe('late')
    expect(await askTls('127.0.0.2', port, 'example.com')).toMatchObject({ protocol: 'h2' })
    expect(await askWhole('127.0.0.2', port, 'example.com')).toContain('400 Bad Request')
    await expect(askTls('127.0.0.1', port, 'a.test')).rejects.toThrow(Error)

    function nameOf(index: number) {
      return config.virtual_hosts[index - 1]!.name
    }
  })

  test('hazard 39: each socket of datagrams has its options once', () => {
    const host = { ...tls, listen_port: 18443, http3_enabled: true }
    const single = [
      { ...host, server_name: 'example.com', listen_addresses: ['127.0.0.2', '127.0.0.3'] },
      { ...host, server_name: 'b.example.com', listen_addresses: ['127.0.0.3'] },
    ]
    for (const mode of ['owned', 'include'] as const) {
      for (const everywhere of [false, true]) {
        const virtual_hosts = everywhere ? [...single, { ...host, server_name: 'c.example.com' }] : single
        const { output, rendered } = testRendered(binary, configOf({ certificates, virtual_hosts }), { mode })
        expect(output).toContain('test is successful')
        const own = binary.facts.supports.http3 ? (everywhere ? 1 : 2) : 0
        expect(rendered.files[0]!.text.split('reuseport').length - 1).toBe(own)
        expect(rendered.listens.filter(({ transport }) => transport === 'udp')).toHaveLength(own)
      }
    }
  })
})

async function ask(address: string, port: number, host: string): Promise<string> {
  const answer = await askWhole(address, port, host)
  return answer.slice(answer.indexOf('\r\n\r\n') + 1).trim()
}

function askWhole(address: string, port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port }, () => socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`))
    let answer = ''
    socket.on('data', (data) => (answer += data.toString()))
    socket.on('error', reject)
    socket.on('close', () => resolve(answer))
  })
}

function askTls(address: string, port: number, servername: string): Promise<{ body: string; protocol: string | false | null }> {
  return new Promise((resolve, reject) => {
    const options = { host: address, port, servername, rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] }
    let [answer, protocol]: [string, string | false | null] = ['', null]
    const socket = tlsConnect(options, () => {
      protocol = socket.alpnProtocol
      if (protocol === 'h2') socket.destroy()
      else socket.write(`GET / HTTP/1.1\r\nHost: ${servername}\r\nConnection: close\r\n\r\n`)
    })
    socket.on('data', (data) => (answer += data.toString()))
    socket.on('error', reject)
    socket.on('close', () => resolve({ body: answer.slice(answer.indexOf('\r\n\r\n') + 1).trim(), protocol }))
  })
}
