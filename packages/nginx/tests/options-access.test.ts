import { connect, createServer } from 'node:net'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { checkVirtualHost } from '../src/check.ts'
import { startBackend } from './support/backend.ts'
import { type ConfigDraft, configOf } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve, testRendered } from './support/real-nginx.ts'

type Host = NonNullable<ConfigDraft['virtual_hosts']>[number]

/** A host that believes what its clients say of their address, so that a test can come from anywhere. */
const hostWith = (host: Omit<Host, 'server_name' | 'listen_port'>, port = 18480) =>
  configOf({ virtual_hosts: [{ server_name: 'localhost', listen_port: port, real_ip: { trusted: ['127.0.0.1'] }, ...host }] })
const allow = (address: string) => ({ action: 'allow' as const, address })
const deny = (address: string) => ({ action: 'deny' as const, address })

async function statusFor(port: number, path: string, from: string): Promise<number> {
  return Number((await get(port, path, 'localhost', `X-Forwarded-For: ${from}\r\n`)).slice(9, 12))
}

async function startSilence() {
  let asked = () => {}
  const waiting = new Promise<void>((resolve) => (asked = resolve))
  const server = createServer((socket) => socket.on('error', () => {}).once('data', () => asked()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return { address: `http://127.0.0.1:${port}`, asked: waiting, [Symbol.dispose]: () => void server.close() }
}

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('the first rule that fits decides, and rules of a location replace those of the host', async () => {
    await using backend = await startBackend()
    const port = await freePort()
    const proxy_pass = backend.address
    const config = hostWith(
      {
        access: { rules: [deny('192.0.2.1'), allow('192.0.2.0/24'), allow('2001:db8::/32'), deny('all')] },
        locations: [
          { path: '/', proxy_pass },
          { path: '/blocked', proxy_pass, access: { rules: [deny('192.0.2.2')] } },
        ],
      },
      port,
    )
    await using _server = await serve(binary, config)
    expect(await statusFor(port, '/', '192.0.2.1')).toBe(403)
    expect(await statusFor(port, '/', '192.0.2.2')).toBe(200)
    expect(await statusFor(port, '/', '2001:db8::9')).toBe(200)
    expect(await statusFor(port, '/', '198.51.100.1')).toBe(403)
    expect(await statusFor(port, '/blocked', '192.0.2.2')).toBe(403)
    expect(await statusFor(port, '/blocked', '192.0.2.1')).toBe(200)
  })

  test('hazard 1: requests of one address are limited, each place by a zone of its own', async () => {
    await using backend = await startBackend()
    const port = await freePort()
    const proxy_pass = backend.address
    const limit_req = { rate: '1r/m' }
    const config = hostWith(
      {
        limit_req,
        locations: [
          { path: '/', proxy_pass },
          { path: '/own', proxy_pass, limit_req },
          { path: '/burst', proxy_pass, limit_req: { rate: '1r/m', burst: 2, nodelay: true } },
          { path: '/dry', proxy_pass, limit_req: { rate: '1r/m', dry_run: true } },
        ],
      },
      port,
    )
    await using _server = await serve(binary, config)
    const times = async (count: number, path: string, from: string) => {
      const seen: number[] = []
      for (let at = 0; at < count; at++) seen.push(await statusFor(port, path, from))
      return seen
    }
    expect(await times(2, '/', '192.0.2.1')).toEqual([200, 429])
    expect(await times(2, '/', '192.0.2.2')).toEqual([200, 429])
    expect(await times(2, '/own', '192.0.2.1')).toEqual([200, 429])
    expect(await times(4, '/burst', '192.0.2.1')).toEqual([200, 200, 200, 429])
    expect(await times(3, '/dry', '192.0.2.1')).toEqual([200, 200, 200])
  })

  test('requests of one address that are under way at once are limited', async () => {
    using silence = await startSilence()
    const port = await freePort()
    const config = hostWith(
      { limit_conn: { connections: 1 }, locations: [{ path: '/', proxy_pass: silence.address }, { path: '/none' }] },
      port,
    )
    await using _server = await serve(binary, config)
    const first = connect(port, '127.0.0.1')
    first.write('GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n')
    await silence.asked
    expect(await statusFor(port, '/', '192.0.2.1')).toBe(429)
    first.destroy()
  })

  test('hazard 57: what "return" answers is not kept from anybody, so that both in one place are refused', () => {
    const limited = { limit_req: { rate: '1r/s' }, custom_directives: { return: '204' } }
    const config = hostWith({
      access: { rules: [deny('all')] },
      locations: [
        { path: '/', ...limited },
        { path: '/health', custom_directives: { return: '200 ok' } },
      ],
    })
    expect(checkVirtualHost(config.virtual_hosts[0]!)).toMatchObject([{ field: 'locations.0.custom_directives.return', code: 'CONFLICT' }])
    expect(testRendered(binary, config).output).toContain('test is successful')
  })
})
