import { createSocket } from 'node:dgram'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import { freePort } from '@nxmesh/testkit/ports'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { explainOutput } from '../src/explain-output.ts'
import { render } from '../src/render.ts'
import { startBackend } from './support/backend.ts'
import { certificate } from './support/certificate.ts'
import { type ConfigDraft, configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { exchange, get, serve, targetFor, temporaryFolder, testRendered } from './support/real-nginx.ts'

type Draft = NonNullable<ConfigDraft['stream_hosts']>[number]

const usable = binaries.filter(({ facts }) => facts.supports.stream)

/** A server that says its name and then all that it gets, and hangs up after a line. */
async function named(name: string): Promise<AsyncDisposable & { port: number; address: string }> {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => {}).on('close', () => open.delete(socket))
    socket.write(`${name} `)
    socket.on('data', (data) => (data.includes('\n') ? socket.end(data) : socket.write(data)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    address: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Two ports that nothing listens on: asked for one after the other they may be the same. */
async function twoPorts(): Promise<[number, number]> {
  const first = await freePort()
  for (;;) {
    const second = await freePort()
    if (second !== first) return [first, second]
  }
}

/** What is answered to a line, until the other side hangs up: nginx does so itself when a client ends. */
async function say(port: number, words: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', (data) => (answer += data.toString())).on('error', () => {})
  socket.write(`${words}\n`)
  await new Promise((resolve) => socket.once('close', resolve))
  return answer
}

/** The same over TLS, once the other side has spoken: nginx 1.18 may leave what comes along with the handshake's end unread (hazard 107). */
async function sayOverTls(port: number, words: string, servername?: string): Promise<{ answer: string; protocol: string | null }> {
  const socket = connectTls({ port, host: '127.0.0.1', servername, rejectUnauthorized: false })
  let answer = ''
  let protocol: string | null = null
  socket.once('secureConnect', () => (protocol = socket.getProtocol()))
  socket.once('data', () => socket.write(`${words}\n`))
  socket.on('data', (data: Buffer) => (answer += data.toString()))
  await new Promise((resolve, reject) => socket.once('end', resolve).once('error', reject))
  return { answer, protocol }
}

const certificates = { [id(3, 1)]: { id: id(3, 1), domain: 'example.com', ...certificate, expires_at: 4_102_444_800 } }
const to = (address: string, host: Draft, more: Partial<ConfigDraft> = {}) =>
  configOf({ upstreams: [{ servers: [{ address }] }], stream_hosts: [{ upstream_id: id(2, 1), ...host }], certificates, ...more })

test('there is an nginx with streams on this machine', () => expect(usable).not.toEqual([]))

describe.each(usable)('nginx $facts.version', (binary) => {
  test('a connection goes to the upstream as it is', async () => {
    await using origin = await named('origin')
    const port = await freePort()
    await using _server = await serve(binary, to(origin.address, { listen_port: port }))
    expect(await say(port, '\0 raw \xff')).toBe('origin \0 raw \xff\n')
  })

  test('hazard 104: one upstream serves a location and a stream host at once', async () => {
    await using origin = await startBackend()
    const [port, http] = await twoPorts()
    const virtual_hosts = [{ server_name: '_', listen_port: http, locations: [{ path: '/', upstream_id: id(2, 1) }] }]
    await using _server = await serve(binary, to(`127.0.0.1:${origin.port}`, { listen_port: port }, { virtual_hosts }))
    for (const through of [port, http]) expect(await get(through, '/')).toContain(' 200 ')
  })

  test('TLS ends here, and begins anew towards an upstream that wants it', async () => {
    await using origin = await named('origin')
    const [outer, inner] = await twoPorts()
    const tls = { ssl_enabled: true, ssl_certificate_id: id(3, 1) }
    const config = configOf({
      certificates,
      upstreams: [{ servers: [{ address: origin.address }] }, { servers: [{ address: `127.0.0.1:${inner}` }] }],
      stream_hosts: [
        { listen_port: inner, upstream_id: id(2, 1), ...tls },
        { listen_port: outer, upstream_id: id(2, 2), proxy: { ssl: true, ssl_name: 'a.test' }, ...tls, tls_policy: 'modern' },
      ],
    })
    await using _server = await serve(binary, config)
    const { answer, protocol } = await sayOverTls(outer, 'secret')
    expect([answer, protocol]).toEqual(['origin secret\n', 'TLSv1.3'])
  })

  test('a unix socket is listened on, with the PROXY protocol where it is asked for', async () => {
    using folder = temporaryFolder()
    const [plain, spoken] = ['plain', 'spoken'].map((name) => join(folder.path, `${name}.sock`)) as [string, string]
    const says = { listen_port: 1, extra_directives: ['return "<$proxy_protocol_addr>"'] }
    const stream_hosts = [
      { ...says, listen_addresses: [`unix:${plain}`] },
      { ...says, listen_addresses: [`unix:${spoken}`], accept_proxy_protocol: {} },
    ]
    await using server = await serve(binary, configOf({ stream_hosts }))
    expect([server.rendered.findings, server.rendered.listens]).toEqual([[], []])
    expect(await text(connect(plain))).toBe('<>')
    const socket = connect(spoken)
    socket.write('PROXY TCP4 192.0.2.7 192.0.2.1 1234 80\r\n')
    expect(await text(socket)).toBe('<192.0.2.7>')
  })

  test('a socket belongs to one host, whatever its kind', async () => {
    using folder = temporaryFolder()
    const at = { listen_port: 80, listen_addresses: [`unix:${folder.path}/a.sock`] }
    const virtual_hosts = [{ ...at, server_name: 'a.test', locations: [{ path: '/', custom_directives: { return: '200' } }] }]
    const stream_hosts = [{ ...at, extra_directives: ['return x'] }]
    await using server = await serve(binary, configOf({ virtual_hosts, stream_hosts }))
    const reason = `is left out: a virtual host has ${at.listen_addresses[0]} already`
    expect(server.rendered.findings).toMatchObject([{ id: id(6, 1), field: 'listen_addresses.0', message: reason }])
  })

  test('of two stream hosts on one socket the older has it, and none has the agent’s own', () => {
    using folder = temporaryFolder()
    const on = (name: string, listen_port: number) => ({
      listen_port,
      listen_addresses: [`unix:${folder.path}/${name}.sock`],
      extra_directives: ['return x'],
    })
    const config = configOf({ stream_hosts: [on('a', 1), on('a', 2), on('nginx', 3)] })
    const { output, rendered } = testRendered(binary, config, { runtime_directory: folder.path })
    expect(output).toContain('test is successful')
    expect(rendered.findings.map(({ id: at, field, message }) => [at, field, message])).toEqual([
      [id(6, 2), 'listen_addresses.0', expect.stringContaining('is left out')],
      [id(6, 3), 'listen_addresses.0', `is left out: unix:${folder.path}/nginx.sock is the agent’s own`],
    ])
  })

  test('datagrams are answered', async () => {
    const origin = createSocket('udp4')
    await new Promise<void>((resolve) => origin.bind(0, '127.0.0.1', resolve))
    origin.on('message', (message, { port, address }) => origin.send(`re ${message.toString()}`, port, address))
    const port = await freePort()
    const host = { protocol: 'udp' as const, listen_port: port, proxy: { responses: 1, timeout: 5 } }
    await using _server = await serve(binary, to(`127.0.0.1:${origin.address().port}`, host))
    const client = createSocket('udp4')
    const answer = new Promise((resolve) => client.once('message', (message) => resolve(message.toString())))
    client.send('ask', port, '127.0.0.1')
    expect(await answer).toBe('re ask')
    client.close()
    origin.close()
  })

  test('hazard 101: datagrams of one client are one session, whichever worker is free', async () => {
    const origin = createSocket('udp4')
    await new Promise<void>((resolve) => origin.bind(0, '127.0.0.1', resolve))
    const sessions = new Set<number>()
    let last = Promise.withResolvers<void>()
    origin.on('message', (message, { port }) => {
      sessions.add(port)
      if (message.toString() === 'last') last.resolve()
    })
    const port = await freePort()
    const host = { protocol: 'udp' as const, listen_port: port, proxy: { timeout: 60 } }
    const settings = { nginx_directives: { worker_processes: '4' } }
    await using _server = await serve(binary, to(`127.0.0.1:${origin.address().port}`, host, { settings }))
    const client = createSocket('udp4')
    for (let round = 0; round < 20; round++) {
      last = Promise.withResolvers()
      for (let at = 0; at < 30; at++) client.send('more', port, '127.0.0.1')
      client.send('last', port, '127.0.0.1')
      await last.promise
    }
    expect(sessions.size).toBe(1)
    client.close()
    origin.close()
  })

  test('the PROXY protocol is sent, and taken from who is trusted', async () => {
    await using origin = await named('origin')
    const [front, back] = await twoPorts()
    const config = configOf({
      upstreams: [{ servers: [{ address: origin.address }] }],
      stream_hosts: [
        { listen_port: front, upstream_id: id(2, 1), proxy: { send_proxy_protocol: true } },
        { listen_port: back, extra_directives: ['return $remote_addr'], accept_proxy_protocol: { trusted: ['127.0.0.0/8'] } },
      ],
    })
    await using server = await serve(binary, config)
    expect(await say(front, 'x')).toMatch(new RegExp(`^origin PROXY TCP4 127\\.0\\.0\\.1 127\\.0\\.0\\.1 \\d+ ${front}\r\n`))
    const header = 'PROXY TCP4 192.0.2.7 192.0.2.1 1234 80\r\n'
    if (binary.facts.supports.stream_realip) expect(await exchange(back, header)).toBe('192.0.2.7')
    else expect(server.rendered.findings).toMatchObject([{ id: id(6, 2), field: 'accept_proxy_protocol.trusted' }])
  })

  test('whom the rules deny is cut off, and so are too many at once', async () => {
    await using origin = await named('origin')
    const [denied, limited] = await twoPorts()
    const config = configOf({
      upstreams: [{ servers: [{ address: origin.address }] }],
      stream_hosts: [
        { listen_port: denied, upstream_id: id(2, 1), access: { rules: [{ action: 'deny', address: '127.0.0.1' }] } },
        { listen_port: limited, upstream_id: id(2, 1), limit_conn: { connections: 1 } },
      ],
    })
    await using _server = await serve(binary, config)
    expect(await say(denied, 'x')).toBe('')
    const first = connect(limited, '127.0.0.1')
    await new Promise((resolve) => first.once('data', resolve))
    expect(await say(limited, 'x')).toBe('')
    first.destroy()
  })

  test('hazard 103: servers: those marked or down get nothing, and the client chooses one by its address', async () => {
    await using a = await named('a')
    await using b = await named('b')
    const upstreams = [
      {
        algorithm: 'ip_hash' as const,
        servers: [{ address: a.address }, { address: b.address }],
        health_check: { enabled: true },
      },
    ]
    const port = await freePort()
    const config = configOf({ upstreams, stream_hosts: [{ listen_port: port, upstream_id: id(2, 1) }] })
    for (const [address, other] of [
      [a.address, 'b'],
      [b.address, 'a'],
    ] as const) {
      await using _server = await serve(binary, config, { marks: { [id(2, 1)]: [address] } })
      const answers = await Promise.all(Array.from({ length: 6 }, () => say(port, '')))
      expect(new Set(answers)).toEqual(new Set([`${other} \n`]))
    }
    await using _server = await serve(binary, config)
    expect(new Set(await Promise.all(Array.from({ length: 6 }, () => say(port, '')))).size).toBe(1)
  })

  test('what goes by the name that a TLS client asks for goes there unopened', async () => {
    const [front, inner] = await twoPorts()
    await using origin = await named('origin')
    const config = configOf({
      certificates,
      upstreams: [{ servers: [{ address: origin.address }] }],
      settings: {
        stream_directives: [
          `map $ssl_preread_server_name $to { a.test inner; default 127.0.0.1:1; }`,
          `upstream inner { server 127.0.0.1:${inner}; }`,
        ],
      },
      stream_hosts: [
        { listen_port: front, extra_directives: ['ssl_preread on', 'proxy_pass $to'] },
        { listen_port: inner, upstream_id: id(2, 1), ssl_enabled: true, ssl_certificate_id: id(3, 1) },
      ],
    })
    await using _server = await serve(binary, config)
    expect(await sayOverTls(front, 'x', 'a.test')).toMatchObject({ answer: 'origin x\n' })
  })

  test("nginx's words lead back to the host and the field", () => {
    const draft = { listen_port: 1, custom_directives: { proxy_buffer_size: 'many' }, extra_directives: ['proxy_pass $nothing'] }
    const { ok, output, rendered } = testRendered(binary, configOf({ stream_hosts: [draft] }))
    expect(ok).toBe(false)
    expect(explainOutput(output, rendered)).toMatchObject([
      { severity: 'error', kind: 'stream_host', id: id(6, 1), field: 'custom_directives.proxy_buffer_size' },
    ])
  })

  test('no text breaks out of its directive', { timeout: 120_000 }, () => {
    const hostile = fc.string({ unit: fc.constantFrom(...'a1 ;{}"\'\\$#\n\t\r\0é'.split('')), maxLength: 12 })
    fc.assert(
      fc.property(hostile, hostile, hostile, (name, rate, address) => {
        const config = to('127.0.0.1:1', { listen_port: 1, name: 'x' })
        const host = config.stream_hosts![0]!
        host.name = name
        host.proxy = { upload_rate: rate, ssl: true, ssl_name: address }
        host.access = { rules: [{ action: 'allow', address: rate }] }
        if (binary.facts.supports.stream_realip) host.accept_proxy_protocol = { trusted: [address] }
        const { output, rendered } = testRendered(binary, config)
        // Whatever nginx says is about these values: their lines are still the only ones of the server.
        expect(output).not.toMatch(/unexpected|unknown directive|not terminated|is not allowed here/)
        const lines = rendered.files.find(({ path }) => path === 'stream.conf')!.text.split('\n')
        expect(lines.filter((line) => line === 'server {')).toHaveLength(1)
      }),
      { numRuns: 30 },
    )
  })
})

describe('what cannot be served is left out and told', () => {
  const [binary] = usable
  const findings = (config: AgentConfig, over: Parameters<typeof targetFor>[2] = {}) => {
    const { files, findings: found, listens } = render(config, targetFor(binary!, '/tmp', { ...without(), ...over }))
    return { streams: files.some(({ path }) => path === 'stream.conf'), listens, found: found.map(({ kind, field }) => `${kind} ${field}`) }
  }
  const supports = { ...binary!.facts.supports, stream: true, stream_ssl: true, stream_realip: true }
  const without = (...names: (keyof typeof supports)[]) => ({
    facts: { ...binary!.facts, supports: { ...supports, ...Object.fromEntries(names.map((name) => [name, false])) } },
  })
  const host = { listen_port: 25 }

  test.each<[string, AgentConfig, Parameters<typeof targetFor>[2]]>([
    ['protocol', to('127.0.0.1:1', host), without('stream')],
    ['protocol', to('127.0.0.1:1', host), { mode: 'include', directory: '/x' }],
    ['ssl_enabled', to('127.0.0.1:1', { ...host, ssl_enabled: true, ssl_certificate_id: id(3, 1) }), without('stream_ssl')],
    ['ssl_certificate_id', to('127.0.0.1:1', { ...host, ssl_enabled: true, ssl_certificate_id: id(3, 2) }), {}],
    [
      'accept_proxy_protocol.trusted',
      to('127.0.0.1:1', { ...host, accept_proxy_protocol: { trusted: ['::1'] } }),
      without('stream_realip'),
    ],
    ['upstream_id', to('127.0.0.1', host), {}],
    ['upstream_id', configOf({ stream_hosts: [{ ...host, upstream_id: id(2, 9) }] }), {}],
    ['upstream_id', configOf({ stream_hosts: [host] }), {}],
    ['listen_port', to('127.0.0.1:1', host, { virtual_hosts: [{ server_name: 'a.test', listen_port: 25 }] }), {}],
  ])('%s', (field, config, over) => {
    expect(findings(config, over)).toMatchObject({ streams: false, found: [`stream_host ${field}`] })
  })

  test('hazard 105: the rest is served, with the ports that it takes', () => {
    const stream_hosts = [
      { listen_port: 25, upstream_id: id(2, 1) },
      { listen_port: 25, upstream_id: id(2, 1) },
      { listen_port: 25, upstream_id: id(2, 1), protocol: 'udp' as const },
    ]
    const config = configOf({ upstreams: [{ servers: [{ address: '127.0.0.1:1' }] }], stream_hosts })
    expect(findings(config)).toEqual({
      streams: true,
      listens: [
        { port: 25, transport: 'tcp' },
        { port: 25, transport: 'udp' },
      ],
      found: ['stream_host listen_port'],
    })
  })

  test('a config without streams has the bytes that it had', () => {
    const config = configOf({ virtual_hosts: [{ server_name: 'a.test', listen_port: 80 }] })
    const { files } = render(config, targetFor(binary!, '/tmp'))
    expect(files.map(({ path }) => path)).toEqual(['http.conf', 'nginx.conf', 'test.conf'])
    expect(files.find(({ path }) => path === 'nginx.conf')!.text).not.toMatch(/stream|load_module/)
  })
})
