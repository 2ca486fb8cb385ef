import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import type { AgentConfig, ConfigStreamHost } from '@nxmesh/model/agent-config'
import { streamHostInput } from '@nxmesh/model/stream-host'
import { type UpstreamInput, upstreamInput } from '@nxmesh/model/upstream'
import { newChain } from '@nxmesh/testkit/certificates'
import { hasModule, withOwnModules } from '@nxmesh/testkit/own-modules'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { stopNginx } from '../src/nginx.ts'
import { hostNginx } from './host-nginx.ts'
import { answering, applyOn, ask, desired, distinctBinaries, host, mastersOf, openBench, startOn, until } from './testing.ts'

// Distributions ship streams as a module of its own.
const streamBinaries = distinctBinaries().filter(({ path }) => hasModule(path, 'ngx_stream_module.so'))

const upstreamId = '00000000-0000-7000-8002-000000000001'
const streamId = '00000000-0000-7000-8006-000000000001'

function stream(listen_port: number, changes: Partial<ConfigStreamHost> = {}): ConfigStreamHost {
  const { target_agents: _, ...rest } = streamHostInput.parse({ name: 'Database', listen_port, upstream_id: upstreamId })
  return { ...rest, id: streamId, ...changes }
}

function upstream(addresses: readonly string[], more: Partial<UpstreamInput> = {}): AgentConfig['upstreams'][number] {
  const servers = addresses.map((address) => ({ address }))
  return { ...upstreamInput.parse({ name: 'servers', servers }), ...more, id: upstreamId }
}

interface Origin extends AsyncDisposable {
  address: string
  port: number
  /** It takes no connection from here on. */
  end(): Promise<void>
}

/** A server that says its name to who connects, and then all that it is told. */
async function startOrigin(name: string): Promise<Origin> {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => {}).on('close', () => open.delete(socket))
    socket.write(`${name} `)
    socket.pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const end = async () => {
    if (!server.listening) return
    for (const socket of open) socket.destroy()
    await new Promise((closed) => server.close(closed))
  }
  return { address: `127.0.0.1:${port}`, port, end, [Symbol.asyncDispose]: end }
}

/** A server that answers each datagram with its name. */
async function startUdpOrigin(name: string): Promise<Disposable & { address: string }> {
  const socket = createSocket('udp4')
  socket.on('message', (_, { port, address }) => socket.send(name, port, address))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { address: `127.0.0.1:${socket.address().port}`, [Symbol.dispose]: () => socket.close() }
}

/** Whose name a new connection is told. */
async function greeting(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const heard = new Promise<string>((resolve, reject) => {
    socket.once('data', (data) => resolve(data.toString().trim()))
    socket.once('error', reject).once('close', () => reject(new Error('hung up')))
  })
  return heard.finally(() => socket.destroy())
}

/** The answer to one datagram; asked again while there is none, as who uses UDP must. */
async function datagram(port: number): Promise<string> {
  const socket = createSocket('udp4')
  socket.on('error', () => {})
  const timer = setInterval(() => socket.send('?', port, '127.0.0.1'), 50)
  try {
    const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(10_000) })) as [Buffer]
    return answer.toString()
  } finally {
    clearInterval(timer)
    socket.close()
  }
}

test('there is an nginx with streams on this machine', () => expect(streamBinaries).not.toEqual([]))

describe.each(streamBinaries)('streams on nginx $label', ({ path }) => {
  test('a config of stream hosts alone is applied and proved, and survives a new start of nginx', async () => {
    await using bench = await openBench()
    await using origin = await startOrigin('a')
    const port = await freePort()
    const nginx = await withOwnModules(path, bench.directory)
    await using agent = await startOn(bench, { nginx })
    const config = desired(1, { upstreams: [upstream([`localhost:${origin.port}`])], stream_hosts: [stream(port)] })
    const result = await applyOn(agent, bench, config)
    expect(result).toMatchObject({ status: 'success', findings: [] })
    expect(await greeting(port)).toBe('a')
    const health = await agent.health()
    expect([health.serving_digest, health.drift]).toEqual([config.digest, []])
    expect(await readFile(join(bench.data, 'current/stream.conf'), 'utf8')).toContain(`server 127.0.0.1:${origin.port};`)
    const [master] = await mastersOf(bench.directory)
    await stopNginx(master!, { graceful: false, timeoutMs: 5000 })
    await until('it serves again', async () => (await greeting(port)) === 'a')
  })

  test('hazard 106: a reload keeps connections, and the port may change its protocol and its kind', async () => {
    await using bench = await openBench()
    await using a = await startOrigin('a')
    await using b = await startOrigin('b')
    using udp = await startUdpOrigin('datagrams')
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: await withOwnModules(path, bench.directory) })
    let version = 0
    const apply = async (config: Partial<AgentConfig>) => {
      const result = await applyOn(agent, bench, desired(++version, config))
      expect(result.status, result.error_message).toBe('success')
    }
    await apply({ upstreams: [upstream([a.address])], stream_hosts: [stream(port)] })
    const kept = connect(port, '127.0.0.1')
    expect(String(await once(kept, 'data'))).toBe('a ')
    await apply({ upstreams: [upstream([b.address])], stream_hosts: [stream(port)] })
    await until('new connections go elsewhere', async () => (await greeting(port)) === 'b')
    kept.write('still here')
    expect(String(await once(kept, 'data'))).toBe('still here')
    kept.destroy()
    await apply({ upstreams: [upstream([udp.address])], stream_hosts: [stream(port, { protocol: 'udp', proxy: { responses: 1 } })] })
    expect(await datagram(port)).toBe('datagrams')
    await until('TCP is closed', () =>
      greeting(port).then(
        () => false,
        () => true,
      ),
    )
    await apply({ virtual_hosts: [answering(port, 'web')] })
    expect(await ask(port)).toBe('web')
    await apply({ upstreams: [upstream([a.address])], stream_hosts: [stream(port)] })
    await until('it is a stream again', async () => (await greeting(port)) === 'a')
  })

  test('UDP sessions survive no reload, but no datagram is lost to a worker that is gone', async () => {
    await using bench = await openBench()
    using first = await startUdpOrigin('first')
    using second = await startUdpOrigin('second')
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: await withOwnModules(path, bench.directory) })
    const to = (version: number, { address }: { address: string }) =>
      applyOn(agent, bench, desired(version, { upstreams: [upstream([address])], stream_hosts: [stream(port, { protocol: 'udp' })] }))
    expect((await to(1, first)).status).toBe('success')
    const client = createSocket('udp4')
    const next = async () => {
      client.send('?', port, '127.0.0.1')
      return String((await once(client, 'message', { signal: AbortSignal.timeout(10_000) }))[0])
    }
    expect(await next()).toBe('first')
    expect((await to(2, second)).status).toBe('success')
    expect(await next()).toBe('second')
    client.close()
  })

  test('a port of another process is told at the stream host, for the transport that it wants', async () => {
    await using bench = await openBench()
    await using a = await startOrigin('a')
    const port = await freePort()
    const squatter = createSocket('udp4')
    squatter.bind(port, '0.0.0.0')
    await once(squatter, 'listening')
    await using agent = await startOn(bench, { nginx: await withOwnModules(path, bench.directory) })
    const config = (protocol: 'tcp' | 'udp'): Partial<AgentConfig> => ({
      upstreams: [upstream([a.address])],
      stream_hosts: [stream(port, { protocol })],
    })
    const refused = await applyOn(agent, bench, desired(1, config('udp')))
    expect(refused.status).toBe('failed')
    expect(refused.error_message).toContain(`UDP port ${port} is already in use on this machine by process ${process.pid}`)
    expect(refused.findings).toContainEqual(expect.objectContaining({ kind: 'stream_host', id: streamId, field: 'listen_port' }))
    expect((await applyOn(agent, bench, desired(2, config('tcp')))).status).toBe('success')
    squatter.close()
    await once(squatter, 'close')
    expect((await applyOn(agent, bench, desired(3, config('udp')))).status).toBe('success')
  })

  test('a key that does not fit is told at the stream host before nginx sees it', async () => {
    await using bench = await openBench()
    await using a = await startOrigin('a')
    const [one, other] = [await newChain({ names: ['a.test'] }), await newChain({ names: ['a.test'] })]
    const material = { certificate_pem: one.certPem, private_key_pem: other.keyPem, domain: 'a.test', expires_at: 0 }
    const id = '00000000-0000-7000-8003-000000000001'
    await using agent = await startOn(bench, { nginx: await withOwnModules(path, bench.directory) })
    const tls = stream(await freePort(), { ssl_enabled: true, ssl_certificate_id: id })
    const config = { upstreams: [upstream([a.address])], stream_hosts: [tls], certificates: { [id]: { id, ...material } } }
    const result = await applyOn(agent, bench, desired(1, config))
    expect(result).toMatchObject({
      status: 'failed',
      findings: [{ kind: 'stream_host', id: streamId, field: 'ssl_certificate_id' }],
    })
  })

  test('included in the nginx of a host there are no streams: a finding says so, and the rest is served', async () => {
    await using bench = await openBench()
    await using a = await startOrigin('a')
    const [port, http] = [await freePort(), await freePort()]
    const own = await hostNginx(bench, path)
    await own.write({})
    await using agent = await startOn(bench, { nginx: path, mode: 'include', nginxConf: own.conf })
    const config = { upstreams: [upstream([a.address])], stream_hosts: [stream(port)], virtual_hosts: [answering(http, 'web')] }
    const result = await applyOn(agent, bench, desired(1, config))
    expect(result).toMatchObject({
      status: 'success',
      findings: [{ severity: 'error', kind: 'stream_host', id: streamId, field: 'protocol' }],
    })
    expect(await ask(http)).toBe('web')
  })
})

const oldestAndNewest = streamBinaries.filter((_, at) => at === 0 || at === streamBinaries.length - 1)

describe.each(oldestAndNewest)('health of streams on nginx $label', ({ path }) => {
  const check = { enabled: true, path: '/', interval: 1, timeout: 1, healthy_threshold: 1, unhealthy_threshold: 2 }
  const greetings = async (port: number) =>
    [...new Set(await Promise.all(Array.from({ length: 12 }, () => greeting(port).catch(() => 'nobody'))))].sort().join()

  test('servers that only streams use are tried by a connection, and one that takes none gets none', async () => {
    await using bench = await openBench()
    await using a = await startOrigin('a')
    await using b = await startOrigin('b')
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: await withOwnModules(path, bench.directory) })
    const config = { upstreams: [upstream([a.address, b.address], { health_check: check })], stream_hosts: [stream(port)] }
    expect((await applyOn(agent, bench, desired(1, config))).status).toBe('success')
    await until('both are up', async () => (await agent.health()).servers.filter(({ state }) => state === 'up').length === 2)
    await until('both answer', async () => (await greetings(port)) === 'a,b')
    const before = agent.state.good?.generation
    await b.end()
    await until('it is down and out', async () => {
      const found = (await agent.health()).servers.find(({ address }) => address === b.address)
      return found?.state === 'down' && !found.in_rotation
    })
    const text = await readFile(join(bench.data, 'current/stream.conf'), 'utf8')
    if (text.includes(' resolve')) expect(agent.state.good?.generation).toBe(before)
    else expect(text).toContain(`server ${b.address} down;`)
    await until('nginx leaves it out', async () => (await greetings(port)) === 'a')
  })

  test('one upstream of a location and a stream host is tried by requests, for both', async () => {
    await using bench = await openBench()
    await using a = await startOrigin('a')
    const [port, http] = [await freePort(), await freePort()]
    await using agent = await startOn(bench, { nginx: await withOwnModules(path, bench.directory) })
    const locations = [{ path: '/', upstream_id: upstreamId, custom_headers: [], rewrite_rules: [], custom_directives: {} }]
    const config = {
      upstreams: [upstream([a.address], { health_check: check })],
      stream_hosts: [stream(port)],
      virtual_hosts: [host(http, { locations })],
    }
    expect((await applyOn(agent, bench, desired(1, config))).status).toBe('success')
    await until('it speaks no HTTP', async () => (await agent.health()).servers.some(({ state }) => state === 'down'))
    expect(await greeting(port)).toBe('a')
  })
})
