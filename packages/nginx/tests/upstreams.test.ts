import { type AddressInfo, connect, createServer } from 'node:net'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { checkUpstream } from '../src/check.ts'
import { explainOutput } from '../src/explain-output.ts'
import { startBackend } from './support/backend.ts'
import { type ConfigDraft, configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve, testRendered } from './support/real-nginx.ts'

type Upstream = NonNullable<ConfigDraft['upstreams']>[number]

const body = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4)
const through = (upstream: Upstream, port = 18480) =>
  configOf({
    upstreams: [upstream],
    virtual_hosts: [{ server_name: 'localhost', listen_port: port, locations: [{ path: '/', upstream_id: id(2, 1) }] }],
  })

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('hazard 66: an upgrade reaches the upstream, with and without kept connections', async () => {
    await using backend = await startBackend()
    for (const keepalive_connections of [0, 4]) {
      const port = await freePort()
      await using _server = await serve(
        binary,
        through({ servers: [{ address: `127.0.0.1:${backend.port}` }], keepalive_connections }, port),
      )
      expect(await upgrade(port, 'hello')).toContain('hello')
    }
  })

  test('hazard 67: a name that cannot be resolved is traced to its server', () => {
    const { ok, output, rendered } = testRendered(
      binary,
      through({ servers: [{ address: 'localhost:1' }, { address: 'no-such-host.invalid:1' }] }),
    )
    expect(ok).toBe(false)
    expect(explainOutput(output, rendered)).toMatchObject([{ severity: 'error', kind: 'upstream', id: id(2, 1), field: 'servers.1' }])
  })

  test('hazard 67: so is one in proxy_pass', () => {
    const locations = [{ path: '/', proxy_pass: 'http://no-such-host.invalid' }]
    const { output, rendered } = testRendered(
      binary,
      configOf({ virtual_hosts: [{ server_name: 'a.test', listen_port: 18480, locations }] }),
    )
    expect(explainOutput(output, rendered)).toMatchObject([{ kind: 'virtual_host', id: id(1, 1), field: 'locations.0.proxy_pass' }])
  })

  test('hazard 68: backup servers with ip_hash, and no other than backup servers', () => {
    const drafts: Upstream[] = [
      { algorithm: 'ip_hash', servers: [{ address: '127.0.0.1:1' }, { address: '127.0.0.1:2', backup: true }] },
      { servers: [{ address: '127.0.0.1:1', backup: true }] },
      { algorithm: 'ip_hash', servers: [{ address: '127.0.0.1:1', backup: true }] },
    ]
    for (const draft of drafts) {
      const config = through(draft)
      expect(checkUpstream(config.upstreams[0]!)).not.toEqual([])
      const { output, rendered } = testRendered(binary, config)
      expect(output).toContain('test is successful')
      expect(rendered.findings).not.toEqual([])
    }
  })

  test('hazard 69, 73: methods, weights, failures and kept connections together raise no warning', () => {
    for (const algorithm of ['round_robin', 'least_connections', 'ip_hash', 'weighted_round_robin'] as const) {
      const server = { address: '127.0.0.1:1', weight: 3, max_fails: 0, fail_timeout: 30 }
      const { output } = testRendered(
        binary,
        through({ algorithm, servers: [server, { address: '[::1]:2', down: true }], keepalive_connections: 8 }),
      )
      expect(output).toContain('test is successful')
      expect(output).not.toContain('[warn]')
    }
  })

  test('hazard 70: a connection that the server is about to close, as it was asked to, is not used again', async () => {
    let usedAgain = 0
    // It says nothing of its closing and takes a moment over it.
    const closing = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone')
        socket.on('data', () => usedAgain++)
        setTimeout(() => socket.destroy(), 200)
      })
    })
    await new Promise<void>((resolve) => closing.listen(0, '127.0.0.1', resolve))
    try {
      const port = await freePort()
      const { port: serverPort } = closing.address() as AddressInfo
      const config = through({ servers: [{ address: `127.0.0.1:${serverPort}` }] }, port)
      config.settings = { nginx_directives: { worker_processes: '1' }, env_vars: {} }
      await using _server = await serve(binary, config)
      for (let turn = 0; turn < 5; turn++) expect(body(await get(port, '/'))).toBe('done')
      expect(usedAgain).toBe(0)
    } finally {
      closing.close()
    }
  })

  test.each([0, 4])(
    'hazard 70: HTTP/1.1 to the upstream on every version; connections are kept only when asked for (%i)',
    async (keepalive_connections) => {
      await using backend = await startBackend()
      const port = await freePort()
      const config = through({ servers: [{ address: `127.0.0.1:${backend.port}` }], keepalive_connections }, port)
      config.settings = { nginx_directives: { worker_processes: '1' }, env_vars: {} }
      await using _server = await serve(binary, config)
      for (let at = 0; at < 5; at++) expect(await get(port, '/')).toContain('version 1.1\n')
      expect(backend.connections()).toBe(keepalive_connections === 0 ? 5 : 1)
    },
  )

  test('hazard 71: the upstream is asked for the host that the client asked for', async () => {
    await using backend = await startBackend()
    const port = await freePort()
    await using _server = await serve(binary, through({ servers: [{ address: `127.0.0.1:${backend.port}` }] }, port))
    const answer = body(await get(port, '/', 'localhost', 'X-Forwarded-For: 10.1.1.1\r\n'))
    expect(answer).toContain('host: localhost\n')
    expect(answer).toContain('x-forwarded-for: 10.1.1.1, 127.0.0.1\n')
  })

  test('hazard 72: upstreams of one name have blocks of their own; without a usable server they answer 502', async () => {
    const port = await freePort()
    const upstreams = [
      { name: 'same', servers: [{ address: '127.0.0.1:1', down: true }] },
      { name: 'same', servers: [{ address: '127.0.0.1:1', down: true }] },
    ]
    const config = configOf({
      upstreams,
      virtual_hosts: [{ server_name: 'localhost', listen_port: port, locations: [{ path: '/', upstream_id: id(2, 2) }] }],
    })
    await using _server = await serve(binary, config)
    expect(await get(port, '/')).toContain(' 502 ')
  })

  test('an upstream with ten thousand servers fits its shared memory', () => {
    const servers = Array.from({ length: 10_000 }, (_, at) => ({ address: `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}:8080` }))
    const { output } = testRendered(binary, through({ servers }))
    expect(output).toContain('test is successful')
  })
})

async function upgrade(port: number, message: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write('GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'),
    )
    let answer = ''
    let sent = false
    socket.on('data', (data) => {
      answer += data.toString()
      if (!sent && answer.includes('\r\n\r\n')) {
        if (!answer.startsWith('HTTP/1.1 101')) return socket.end()
        sent = true
        socket.write(message)
      }
      if (answer.endsWith(message)) socket.end()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(answer))
  })
}
