import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { importConfig } from '../src/import/import.ts'
import { readSources } from '../src/import/includes.ts'
import type { Rendered } from '../src/render/target.ts'
import { certificate } from './support/certificate.ts'
import { type ConfigDraft, configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { exchange, get, serve, testRendered } from './support/real-nginx.ts'

type Draft = NonNullable<ConfigDraft['stream_hosts']>[number]

const usable = binaries.filter(({ facts }) => facts.supports.stream)

/** A stream host that says a word to who connects. */
const saying = (word: string, host: Draft): Draft => ({ ...host, custom_directives: { return: word } })
const words = (host: string, port: number) => exchange({ host, port }, '')
const errors = ({ findings }: Pick<Rendered, 'findings'>) =>
  findings.map(({ severity, id: at, field, message }) => [severity, at, field, message])

test('there is an nginx with streams on this machine', () => expect(usable).not.toEqual([]))

describe.each(usable)('nginx $facts.version', (binary) => {
  test('a stream host on single addresses answers there and nowhere else, before one on all addresses', async () => {
    const port = await freePort()
    const single = [
      saying('one', { listen_port: port, listen_addresses: ['127.0.0.2', '0:0::1'] }),
      saying('two', { listen_port: port, listen_addresses: ['127.0.0.3'] }),
    ]
    {
      await using server = await serve(binary, configOf({ stream_hosts: [saying('all', { listen_port: port }), ...single] }), {
        ipv6: true,
      })
      expect(server.rendered.findings).toEqual([])
      expect(server.rendered.listens).toEqual([{ port, transport: 'tcp' }])
      for (const [host, word] of [
        ['127.0.0.1', 'all'],
        ['127.0.0.2', 'one'],
        ['::1', 'one'],
        ['127.0.0.3', 'two'],
      ] as const)
        expect(await words(host, port)).toBe(word)
    }
    await using server = await serve(binary, configOf({ stream_hosts: single }), { ipv6: true })
    expect(server.rendered.listens.map(({ address }) => address)).toEqual(['127.0.0.2', '::1', '127.0.0.3'])
    expect(await words('::1', port)).toBe('one')
    await expect(words('127.0.0.1', port)).rejects.toThrow('ECONNREFUSED')
  })

  test('datagrams go to the stream host on the very address, each with a socket of its own', async () => {
    using all = await echoing('all')
    using one = await echoing('one')
    const port = await freePort()
    const udp = { protocol: 'udp' as const, listen_port: port }
    const config = configOf({
      settings: { nginx_directives: { worker_processes: '2' } },
      upstreams: [all, one].map(({ address }) => ({ servers: [{ address }] })),
      stream_hosts: [
        { ...udp, upstream_id: id(2, 1) },
        { ...udp, upstream_id: id(2, 2), listen_addresses: ['127.0.0.2', '127.0.0.3'] },
      ],
    })
    await using server = await serve(binary, config)
    expect(server.rendered.findings).toEqual([])
    expect(server.rendered.listens.map(({ address }) => address)).toEqual([undefined, '127.0.0.2', '127.0.0.3'])
    expect(await Promise.all(['127.0.0.1', '127.0.0.2', '127.0.0.3'].map((host) => datagram(host, port)))).toEqual(['all', 'one', 'one'])
  })

  test('TLS and the PROXY protocol are those of an address of a port', async () => {
    const port = await freePort()
    const certificates = { [id(3, 1)]: { id: id(3, 1), domain: 'example.com', ...certificate, expires_at: 0 } }
    const config = configOf({
      certificates,
      stream_hosts: [
        saying('plain', { listen_port: port }),
        saying('secret', { listen_port: port, listen_addresses: ['127.0.0.2'], ssl_enabled: true, ssl_certificate_id: id(3, 1) }),
        saying('$remote_addr', { listen_port: port, listen_addresses: ['127.0.0.3'], accept_proxy_protocol: {} }),
      ],
    })
    await using _server = await serve(binary, config)
    expect(await words('127.0.0.1', port)).toBe('plain')
    expect(await text(connectTls({ host: '127.0.0.2', port, rejectUnauthorized: false }))).toBe('secret')
    expect(await exchange({ host: '127.0.0.2', port }, 'GET / HTTP/1.0\r\n\r\n').catch(() => '')).not.toContain('secret')
    expect(await exchange({ host: '127.0.0.3', port }, 'PROXY TCP4 10.1.2.3 10.0.0.1 1 2\r\n')).toBe('127.0.0.1')
    expect(await exchange({ host: '127.0.0.3', port }, 'hello\r\n').catch(() => '')).toBe('')
  })

  test('hazard 45: an address that the machine does not have leaves out its stream host, and no other', () => {
    const config = configOf({
      stream_hosts: [
        saying('a', { listen_port: 18490, listen_addresses: ['192.0.2.5'] }),
        saying('b', { listen_port: 18490, listen_addresses: ['127.0.0.1', '192.0.2.5'] }),
        saying('c', { listen_port: 18490, protocol: 'udp', listen_addresses: ['2001:db8::1'] }),
      ],
    })
    expect(testRendered(binary, config, { ipv6: true }).output).toContain('Cannot assign requested address')
    const { output, rendered } = testRendered(binary, config, { absent_addresses: ['192.0.2.5', '192.0.2.6'] })
    expect(output).toContain('test is successful')
    expect(errors(rendered)).toEqual([
      ['error', id(6, 1), 'listen_addresses.0', 'is left out: this machine does not have the address 192.0.2.5'],
      ['error', id(6, 2), 'listen_addresses.1', 'does not listen on 192.0.2.5: this machine does not have the address 192.0.2.5'],
      ['error', id(6, 3), 'listen_addresses.0', 'is left out: this machine has no IPv6'],
    ])
    expect(rendered.health.absent_addresses).toEqual(['192.0.2.5'])
    expect(rendered.listens).toEqual([{ port: 18490, transport: 'tcp', address: '127.0.0.1' }])
  })

  test('hazard 105: of two stream hosts that want one address the older has it, and the other the rest of its own', async () => {
    const port = await freePort()
    const config = configOf({
      stream_hosts: [
        saying('first', { listen_port: port, listen_addresses: ['127.0.0.1', '127.0.0.2'], name: 'First' }),
        saying('second', { listen_port: port, listen_addresses: ['127.0.0.2', '127.0.0.3'] }),
        saying('third', { listen_port: port, listen_addresses: ['127.0.0.3'] }),
      ],
    })
    await using server = await serve(binary, config)
    const taken = (by: string) => `"${by}" has port TCP ${port} already`
    expect(errors(server.rendered)).toEqual([
      ['error', id(6, 2), 'listen_addresses.0', `does not listen on 127.0.0.2: ${taken('First')}`],
      ['error', id(6, 3), 'listen_addresses.0', `is left out: ${taken('Stream 2')}`],
    ])
    expect(await Promise.all(['127.0.0.1', '127.0.0.2', '127.0.0.3'].map((host) => words(host, port)))).toEqual([
      'first',
      'first',
      'second',
    ])
  })

  test('hazard 105: a port serves virtual hosts and stream hosts on single addresses of TCP, or one kind of them alone', async () => {
    const [mixed, http, udp] = await threePorts()
    const web = { server_name: '_', locations: [{ path: '/', custom_directives: { return: '200 web' } }] }
    const secret = { ssl_enabled: true, ssl_certificate_id: id(3, 1), http3_enabled: true }
    const config = configOf({
      certificates: { [id(3, 1)]: { id: id(3, 1), domain: 'example.com', ...certificate, expires_at: 0 } },
      virtual_hosts: [
        { ...web, listen_port: mixed, listen_addresses: ['127.0.0.1'] },
        { ...web, listen_port: http },
        { ...web, ...secret, listen_port: udp },
      ],
      stream_hosts: [
        saying('stream', { listen_port: mixed, listen_addresses: ['127.0.0.1', '127.0.0.2'] }),
        saying('late', { listen_port: mixed }),
        saying('none', { listen_port: http, listen_addresses: ['127.0.0.2'] }),
        saying('datagrams', { listen_port: udp, protocol: 'udp', listen_addresses: ['127.0.0.2'] }),
      ],
    })
    await using server = await serve(binary, config)
    const taken = (port: number) => `a virtual host has port TCP ${port} already`
    expect(errors(server.rendered).filter(([severity]) => severity === 'error')).toEqual([
      ['error', id(6, 1), 'listen_addresses.0', `does not listen on 127.0.0.1: ${taken(mixed)}`],
      ['error', id(6, 2), 'listen_port', `is left out: ${taken(mixed)}`],
      ['error', id(6, 3), 'listen_addresses.0', `is left out: ${taken(http)}`],
    ])
    expect(await get({ host: '127.0.0.1', port: mixed }, '/')).toContain('web')
    expect(await words('127.0.0.2', mixed)).toBe('stream')
    expect(await get({ host: '127.0.0.2', port: http }, '/')).toContain('web')
    expect(await datagram('127.0.0.2', udp)).toBe('datagrams')
  })

  test('what an nginx says on single addresses, that of an import says there, too', async () => {
    const port = await freePort()
    const streams = [
      `server { listen ${port}; return all; }`,
      `server { listen localhost:${port}; listen 127.0.0.2:${port} so_keepalive=on; return one; }`,
    ]
    const sources = readSources(new Map([['n.conf', `events {} stream { ${streams.join(' ')} }`]]), 'n.conf')
    let ids = 0
    const { stream_hosts, lines } = importConfig(sources, { newId: () => id(6, ++ids), findCertificate: () => undefined })
    expect(lines.filter(({ outcome }) => outcome === 'left_out')).toEqual([])
    await using _server = await serve(binary, { ...configOf({}), stream_hosts })
    expect(await Promise.all(['127.0.0.1', '127.0.0.2', '127.0.0.3'].map((host) => words(host, port)))).toEqual(['one', 'one', 'all'])
  })

  test('while sockets are shared on the way to others, each port is kept by the kind of host that it is for', () => {
    const stream = (listen_addresses?: string[]) =>
      configOf({ stream_hosts: [saying('x', { listen_port: 18491, ...(listen_addresses && { listen_addresses }) })] })
    const listens = (config: ReturnType<typeof configOf>, ...reuseport: string[]) => {
      const sockets = reuseport.map((address) => ({ port: 18491, address }))
      const { rendered, output } = testRendered(binary, config, { reuseport: sockets })
      expect(output).toContain('test is successful')
      return rendered.files
        .filter(({ path }) => !path.startsWith('test'))
        .flatMap(({ path, text }) => [...text.matchAll(/^ {4}listen (?!unix)(.*);$/gm)].map(([, words]) => `${path} ${words}`))
    }
    expect(listens(stream(['127.0.0.1']), '0.0.0.0')).toEqual(['stream.conf 127.0.0.1:18491', 'stream.conf 18491 reuseport'])
    expect(listens(stream(['127.0.0.1']), '127.0.0.1')).toEqual(['stream.conf 127.0.0.1:18491 reuseport'])
    expect(listens(stream(), '127.0.0.1')).toEqual(['stream.conf 127.0.0.1:18491 reuseport'])
    expect(listens(stream(), '0.0.0.0')).toEqual(['stream.conf 18491 reuseport'])
    const web = { server_name: '_', listen_port: 18491, listen_addresses: ['127.0.0.2'] }
    const both = { ...stream(['127.0.0.1']), virtual_hosts: configOf({ virtual_hosts: [web] }).virtual_hosts }
    expect(listens(both, '0.0.0.0')).toEqual(['http.conf 127.0.0.2:18491 default_server', 'http.conf 18491 reuseport'])
    expect(listens(both, '127.0.0.1', '127.0.0.2')).toEqual([
      'http.conf 127.0.0.2:18491 default_server reuseport',
      'stream.conf 127.0.0.1:18491 reuseport',
    ])
  })
})

async function threePorts(): Promise<[number, number, number]> {
  const ports = new Set<number>()
  while (ports.size < 3) ports.add(await freePort())
  return [...ports] as [number, number, number]
}

/** A server that answers each datagram with its name. */
async function echoing(name: string): Promise<Disposable & { address: string }> {
  const server = createSocket('udp4').on('message', (_, { port, address }) => server.send(name, port, address))
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  return { address: `127.0.0.1:${server.address().port}`, [Symbol.dispose]: () => server.close() }
}

async function datagram(host: string, port: number): Promise<string> {
  const client = createSocket('udp4')
  client.send('ask', port, host)
  const [answer] = (await once(client, 'message', { signal: AbortSignal.timeout(10_000) })) as [Buffer]
  client.close()
  return answer.toString()
}
