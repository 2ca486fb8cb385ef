import { createServer } from 'node:net'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { startBackend } from './support/backend.ts'
import { type ConfigDraft, configOf } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { exchange, get, serve, testRendered } from './support/real-nginx.ts'

type Host = NonNullable<ConfigDraft['virtual_hosts']>[number]

const hostWith = (host: Omit<Host, 'server_name' | 'listen_port'>, port = 18480, settings: ConfigDraft['settings'] = {}) =>
  configOf({ virtual_hosts: [{ server_name: 'localhost', listen_port: port, ...host }], settings })
const status = (answer: string) => Number(answer.slice(9, 12))

/** An upstream that takes connections and never says a word. */
async function startSilence() {
  const server = createServer((socket) => socket.on('error', () => {}))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return { address: `http://127.0.0.1:${port}`, [Symbol.dispose]: () => void server.close() }
}

async function post(port: number, path: string, bytes: number): Promise<number> {
  const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${bytes}\r\n\r\n`
  return status(await exchange(port, head + 'x'.repeat(bytes)))
}

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('the size of bodies: of the location, else of the host, else of the settings', async () => {
    await using backend = await startBackend()
    const [port, other] = [await freePort(), await freePort()]
    const proxy_pass = backend.address
    const config = configOf({
      settings: { client: { max_body_size: '1k' } },
      virtual_hosts: [
        {
          server_name: 'localhost',
          listen_port: port,
          client: { max_body_size: '2k' },
          locations: [
            { path: '/', proxy_pass },
            { path: '/large', proxy_pass, client: { max_body_size: '4k' } },
            { path: '/any', proxy_pass, client: { max_body_size: '0' } },
          ],
        },
        { server_name: 'localhost', listen_port: other, locations: [{ path: '/', proxy_pass }] },
      ],
    })
    await using _server = await serve(binary, config)
    expect(await post(other, '/', 1000)).toBe(200)
    expect(await post(other, '/', 1500)).toBe(413)
    expect(await post(port, '/', 1500)).toBe(200)
    expect(await post(port, '/', 2500)).toBe(413)
    expect(await post(port, '/large', 2500)).toBe(200)
    expect(await post(port, '/any', 5000)).toBe(200)
  })

  test('an upstream that is silent for longer than it may be', async () => {
    using silence = await startSilence()
    const port = await freePort()
    const locations = [{ path: '/', proxy_pass: silence.address, proxy: { read_timeout: 1 } }]
    await using _server = await serve(binary, hostWith({ proxy: { read_timeout: 3600 }, locations }, port))
    expect(status(await get(port, '/'))).toBe(504)
  })

  test('a client that does not send its head in time is hung up on', async () => {
    const port = await freePort()
    await using _server = await serve(binary, hostWith({ server_name: 'localhost _', client: { header_timeout: 1 } } as Host, port))
    expect(await exchange(port, 'GET / HTTP/1.1\r\n')).toBe('')
  })

  test.each([
    { number: 4, size: '4k' },
    { number: 8, size: '64k' },
    { number: 1024, size: '1m' },
  ])('hazard 95: buffers of $number times $size', (buffers) => {
    const locations = [{ path: '/', proxy_pass: 'http://127.0.0.1:1', proxy: { buffers } }]
    const { output } = testRendered(binary, hostWith({ locations }))
    expect(output).toContain('test is successful')
  })

  test('an answer with a large head fits into large buffers', async () => {
    await using backend = await startBackend({ 'X-Large': 'x'.repeat(12_000) })
    const port = await freePort()
    const locations = [
      { path: '/', proxy_pass: backend.address },
      { path: '/large', proxy_pass: backend.address, proxy: { buffers: { number: 4, size: '16k' } } },
    ]
    await using _server = await serve(binary, hostWith({ locations }, port))
    expect([status(await get(port, '/')), status(await get(port, '/large'))]).toEqual([502, 200])
  })

  test('no directive comes twice, whoever sets it', () => {
    const config = hostWith({ client: { max_body_size: '2m' }, custom_directives: { client_max_body_size: '3m' } }, 18480, {
      client: { max_body_size: '1m' },
      proxy: { read_timeout: 5 },
      nginx_directives: { client_max_body_size: '4m', proxy_read_timeout: '6s' },
    })
    for (const over of [{}, { mode: 'include', directory: '/nowhere' }] as const) {
      const { output } = testRendered(binary, config, over)
      expect(output).toContain('test is successful')
    }
  })
})
