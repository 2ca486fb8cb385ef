import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import type { AgentConfig, ConfigStreamHost } from '@nxmesh/model/agent-config'
import { streamHostInput } from '@nxmesh/model/stream-host'
import { upstreamInput } from '@nxmesh/model/upstream'
import { hasModule, withOwnModules } from '@nxmesh/testkit/own-modules'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { openTcpSockets } from '../src/ports.ts'
import {
  answering,
  applyOn,
  ask,
  type Bench,
  desired,
  distinctBinaries,
  errorLogOf,
  mastersOf,
  openBench,
  startOn,
  until,
} from './testing.ts'

// Distributions ship streams as a module of its own.
const streamBinaries = distinctBinaries().filter(({ path }) => hasModule(path, 'ngx_stream_module.so'))

const id = (kind: number, index: number) => `00000000-0000-7000-800${kind}-00000000000${index}`

function stream(index: number, listen_port: number, changes: Partial<ConfigStreamHost>): ConfigStreamHost {
  const { target_agents: _, ...rest } = streamHostInput.parse({ name: `Stream ${index}`, listen_port })
  return { ...rest, id: id(6, index), ...changes }
}

function upstream(index: number, address: string): AgentConfig['upstreams'][number] {
  return { ...upstreamInput.parse({ name: `servers ${index}`, servers: [{ address }] }), id: id(2, index) }
}

/** A server that sends back what it is sent, and one that answers each datagram. */
async function startOrigins() {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => {}).on('close', () => open.delete(socket))
    socket.pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const datagrams = createSocket('udp4')
  datagrams.on('message', (message, { port, address }) => datagrams.send(`re ${message.toString()}`, port, address))
  datagrams.bind(0, '127.0.0.1')
  await once(datagrams, 'listening')
  return {
    upstreams: [upstream(1, `127.0.0.1:${(server.address() as AddressInfo).port}`), upstream(2, `127.0.0.1:${datagrams.address().port}`)],
    async [Symbol.asyncDispose]() {
      datagrams.close()
      for (const socket of open) socket.destroy()
      await new Promise((closed) => server.close(closed))
    },
  }
}

/** A connection on which is told back what is said. */
async function open(host: string, port: number): Promise<Disposable & { says: (words: string) => Promise<string> }> {
  const socket = connect({ host, port })
  await once(socket, 'connect')
  return {
    async says(words) {
      socket.write(words)
      return String((await once(socket, 'data', { signal: AbortSignal.timeout(10_000) }))[0])
    },
    [Symbol.dispose]: () => socket.destroy(),
  }
}

/** What one client is answered to a datagram; asked again while there is nothing, as who uses UDP must. */
function udpClient(host: string, port: number): Disposable & { asks: (words: string) => Promise<string> } {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4').on('error', () => {})
  return {
    async asks(words) {
      const timer = setInterval(() => socket.send(words, port, host), 50)
      try {
        for (;;) {
          const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(10_000) })) as [Buffer]
          if (answer.toString() === `re ${words}`) return answer.toString()
        }
      } finally {
        clearInterval(timer)
      }
    },
    [Symbol.dispose]: () => socket.close(),
  }
}

/** What is said to a new connection: the word of a `return`, or an error. */
function word(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    let heard = ''
    socket.on('data', (data) => (heard += data.toString()))
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(String(code))).once('close', () => resolve(heard))
  })
}

async function openAt(bench: Bench, port: number): Promise<string[]> {
  const [master] = await mastersOf(bench.directory)
  const sockets = (await openTcpSockets(master!)).filter((socket) => socket.port === port)
  return [...new Set(sockets.map(({ address }) => address))].sort()
}

const saying = (index: number, port: number, text: string, addresses?: string[]) =>
  stream(index, port, { custom_directives: { return: text }, ...(addresses && { listen_addresses: addresses }) })
const at = (address: string) => ({ '0.0.0.0': '127.0.0.1', '::': '::1' })[address] ?? address

test('there is an nginx with streams on this machine', () => expect(streamBinaries).not.toEqual([]))

describe.each(streamBinaries)('addresses of stream hosts on nginx $label', ({ path }) => {
  test('hazards 4, 5: TCP and UDP go from all addresses to single ones, to others and back while nginx runs, and connections live on', async () => {
    await using bench = await openBench()
    await using origins = await startOrigins()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: await withOwnModules(path, bench.directory) })
    let masters: number[] | undefined
    const all = ['0.0.0.0', '::']
    using stack = new DisposableStack()
    const opened: { says: (words: string) => Promise<string> }[] = []
    using everybody = udpClient('127.0.0.1', port)
    for (const [version, sockets] of [all, ['127.0.0.1'], all, ['127.0.0.1', '::1'], ['127.0.0.2'], all].entries()) {
      const listening = sockets === all ? {} : { listen_addresses: sockets }
      const stream_hosts = [
        stream(1, port, { upstream_id: id(2, 1), ...listening }),
        stream(2, port, { upstream_id: id(2, 2), protocol: 'udp', proxy: { responses: 1 }, ...listening }),
      ]
      const result = await applyOn(agent, bench, desired(version + 1, { upstreams: origins.upstreams, stream_hosts }))
      expect(result, result.error_message).toMatchObject({ status: 'success', error_message: '', findings: [] })
      expect(await openAt(bench, port)).toEqual(sockets)
      for (const socket of sockets) {
        opened.push(stack.use(await open(at(socket), port)))
        using client = udpClient(at(socket), port)
        expect(await client.asks(`${version}`)).toBe(`re ${version}`)
      }
      for (const connection of opened) expect(await connection.says(`hello ${version}`)).toBe(`hello ${version}`)
      if (sockets.some((each) => at(each) === '127.0.0.1')) expect(await everybody.asks(`${version}`)).toBe(`re ${version}`)
      masters ??= await mastersOf(bench.directory)
    }
    expect(await mastersOf(bench.directory)).toEqual(masters)
    expect(await errorLogOf(bench)).not.toContain('[emerg]')
    expect((await readdir(join(bench.data, 'generations'))).filter((name) => name.includes('via'))).toEqual([])
  })

  test('on the way nobody is refused', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: await withOwnModules(path, bench.directory) })
    const config = (text: string, addresses?: string[]) => ({ stream_hosts: [saying(1, port, text, addresses)] })
    await applyOn(agent, bench, desired(1, config('1')))
    const heard = new Set<string>()
    let over = false
    const visitors = [1, 2].map(async () => {
      while (!over) heard.add(await word('127.0.0.1', port))
    })
    for (const version of [2, 3, 4]) {
      const addresses = version === 2 ? ['127.0.0.1'] : version === 3 ? undefined : ['127.0.0.1', '127.0.0.2']
      const result = await applyOn(agent, bench, desired(version, config(String(version), addresses)))
      expect(result.status, result.error_message).toBe('success')
      await until('the new config answers', () => heard.has(String(version)))
    }
    over = true
    await Promise.all(visitors)
    expect([...heard].filter((answer) => answer !== 'ECONNRESET')).toEqual(['1', '2', '3', '4'])
  })

  test('stream hosts and virtual hosts come to share a port on single addresses, and leave it to one of them', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: await withOwnModules(path, bench.directory) })
    const web = (listen_addresses?: string[]) => answering(port, 'web', listen_addresses ? { listen_addresses } : {})
    const [here, there] = [['127.0.0.1'], ['127.0.0.2']]
    const stations: [Partial<AgentConfig>, string[], string[]][] = [
      [{ virtual_hosts: [web()] }, ['web', 'web'], ['0.0.0.0', '::']],
      [{ virtual_hosts: [web(here)], stream_hosts: [saying(1, port, 'stream', there)] }, ['web', 'stream'], ['127.0.0.1', '127.0.0.2']],
      [{ stream_hosts: [saying(1, port, 'stream')] }, ['stream', 'stream'], ['0.0.0.0', '::']],
      [{ virtual_hosts: [web(there)], stream_hosts: [saying(1, port, 'stream', here)] }, ['stream', 'web'], ['127.0.0.1', '127.0.0.2']],
      [{ stream_hosts: [saying(1, port, 'one', here), saying(2, port, 'all')] }, ['one', 'all'], ['0.0.0.0', '::']],
      [{ stream_hosts: [saying(1, port, 'one', here), saying(2, port, 'two', there)] }, ['one', 'two'], ['127.0.0.1', '127.0.0.2']],
      [{ virtual_hosts: [web()] }, ['web', 'web'], ['0.0.0.0', '::']],
    ]
    for (const [index, [config, heard, sockets]] of stations.entries()) {
      const result = await applyOn(agent, bench, desired(index + 1, config))
      expect(result, result.error_message).toMatchObject({ status: 'success', findings: [] })
      expect(await openAt(bench, port)).toEqual(sockets)
      for (const [place, host] of ['127.0.0.1', '127.0.0.2'].entries()) {
        const answer = heard[place] === 'web' ? ask(port, '/', 'a.test', host) : word(host, port)
        expect(await answer).toBe(heard[place])
      }
    }
    expect(await errorLogOf(bench)).not.toContain('[emerg]')
  })

  test('hazard 45: a stream host on an address that this machine does not have is left out, and the others serve', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: await withOwnModules(path, bench.directory) })
    const stream_hosts = [saying(1, port, 'here', ['127.0.0.1', '192.0.2.6']), saying(2, port, 'away', ['192.0.2.5'])]
    const result = await applyOn(agent, bench, desired(1, { stream_hosts }))
    expect(result).toMatchObject({
      status: 'success',
      findings: [
        { severity: 'error', kind: 'stream_host', id: id(6, 1), field: 'listen_addresses.1' },
        { severity: 'error', kind: 'stream_host', id: id(6, 2), field: 'listen_addresses.0' },
      ],
    })
    expect(await word('127.0.0.1', port)).toBe('here')
    expect((await agent.health()).generation?.absent_addresses).toEqual(['192.0.2.5', '192.0.2.6'])
  })

  test('an address of a port that another process has is told at the stream host that lists it', async () => {
    await using bench = await openBench()
    const squatter = createServer().listen(0, '127.0.0.2')
    await once(squatter, 'listening')
    const { port } = squatter.address() as AddressInfo
    await using agent = await startOn(bench, { nginx: await withOwnModules(path, bench.directory) })
    const both = [saying(1, port, 'free', ['127.0.0.1']), saying(2, port, 'taken', ['127.0.0.2'])]
    const refused = await applyOn(agent, bench, desired(1, { stream_hosts: both }))
    expect(refused.status).toBe('failed')
    expect(refused.findings.map(({ id: at, field }) => [at, field])).toEqual([[id(6, 2), 'listen_addresses']])
    expect(refused.error_message).toContain(`port ${port} on 127.0.0.2 is already in use on this machine by process ${process.pid}`)
    expect((await applyOn(agent, bench, desired(2, { stream_hosts: both.slice(0, 1) }))).status).toBe('success')
    expect(await word('127.0.0.1', port)).toBe('free')
    squatter.close()
  })
})
