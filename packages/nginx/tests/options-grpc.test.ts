import { connect, createServer, type IncomingHttpHeaders, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { checkVirtualHost } from '../src/check.ts'
import { render } from '../src/render.ts'
import { certificate } from './support/certificate.ts'
import { type ConfigDraft, configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { serve, targetFor, testRendered } from './support/real-nginx.ts'

type Host = NonNullable<ConfigDraft['virtual_hosts']>[number]

const certificates = { [id(3, 1)]: { id: id(3, 1), domain: 'example.com', ...certificate, expires_at: 0 } }

/** Answers a call with the headers that came with it, as gRPC frames its messages; `/silent` it never answers. */
async function startGrpc() {
  const sessions = new Set<ServerHttp2Session>()
  const server = createServer()
  server.on('session', (session) => sessions.add(session))
  server.on('stream', (stream, headers) => {
    stream.resume()
    if (headers[':path'] === '/silent') return
    // An answer before the end of the request resets the stream, which not every nginx forgives.
    stream.on('end', () => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'x-own': 'upstream' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      const body = Buffer.from(JSON.stringify(headers))
      const frame = Buffer.alloc(5)
      frame.writeUInt32BE(body.length, 1)
      stream.end(Buffer.concat([frame, body]))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      for (const session of sessions) session.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function call(
  port: number,
  path: string,
): Promise<{ headers: IncomingHttpHeaders; trailers: IncomingHttpHeaders; message: IncomingHttpHeaders }> {
  const session = connect(`https://127.0.0.1:${port}`, { servername: 'example.com', rejectUnauthorized: false })
  try {
    return await new Promise((resolve, reject) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': path,
        ':authority': 'example.com',
        'content-type': 'application/grpc',
        te: 'trailers',
      })
      let headers: IncomingHttpHeaders = {}
      let trailers: IncomingHttpHeaders = {}
      const parts: Buffer[] = []
      session.on('error', reject)
      stream.on('error', reject)
      stream.on('response', (received) => (headers = received))
      stream.on('trailers', (received) => (trailers = received))
      stream.on('data', (part: Buffer) => parts.push(part))
      stream.on('end', () => {
        const body = Buffer.concat(parts).subarray(5).toString()
        resolve({ headers, trailers, message: body.startsWith('{') ? (JSON.parse(body) as IncomingHttpHeaders) : {} })
      })
      stream.end(Buffer.alloc(5))
    })
  } finally {
    session.destroy()
  }
}

const host = (more: Partial<Host>): Host => ({
  server_name: 'example.com',
  listen_port: 18480,
  ssl_enabled: true,
  ssl_certificate_id: id(3, 1),
  http2_enabled: true,
  ...more,
})

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('calls go to an upstream or address with the headers of any request, and come back with trailers', async () => {
    await using upstream = await startGrpc()
    const port = await freePort()
    const custom_headers = [
      { name: 'X-Secret', value: 'for upstream', direction: 'request' as const },
      { name: 'X-Own', value: 'of nginx', direction: 'response' as const },
    ]
    const locations = [
      { path: '/by.Upstream/', upstream_id: id(2, 1), upstream_protocol: 'grpc' as const, custom_headers },
      { path: '/by.Address/', grpc_pass: `grpc://127.0.0.1:${upstream.port}` },
      { path: '/', root: '/nowhere' },
    ]
    const config = configOf({
      certificates,
      upstreams: [{ servers: [{ address: `127.0.0.1:${upstream.port}` }] }],
      virtual_hosts: [host({ listen_port: port, tls: { hsts: {} }, locations })],
    })
    expect(checkVirtualHost(config.virtual_hosts[0]!)).toEqual([])
    await using _server = await serve(binary, config)
    const first = await call(port, '/by.Upstream/Method')
    expect(first.trailers['grpc-status']).toBe('0')
    expect(first.headers).toMatchObject({ ':status': 200, 'x-own': 'of nginx', 'strict-transport-security': 'max-age=31536000' })
    expect(first.message).toMatchObject({
      ':path': '/by.Upstream/Method',
      te: 'trailers',
      'x-real-ip': '127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-secret': 'for upstream',
    })
    expect(first.message[':authority'] ?? first.message.host).toBe('example.com')
    expect(first.message).not.toHaveProperty('upgrade')
    const second = await call(port, '/by.Address/Method')
    expect([second.trailers['grpc-status'], second.headers['x-own']]).toEqual(['0', 'upstream'])
  })

  test('the times and buffers of proxy are those of calls too', async () => {
    await using upstream = await startGrpc()
    const port = await freePort()
    const locations = [{ path: '/', grpc_pass: `grpc://127.0.0.1:${upstream.port}` }]
    const proxy = { read_timeout: 1, buffers: { size: '16k' } }
    await using server = await serve(binary, configOf({ certificates, virtual_hosts: [host({ listen_port: port, proxy, locations })] }))
    expect((await call(port, '/silent')).headers[':status']).toBe(504)
    expect(server.rendered.files[0]!.text).toContain('grpc_buffer_size 16k;')
  })

  test('servers that speak TLS are asked for the name of the site', () => {
    const locations = [
      { path: '/a', upstream_id: id(2, 1), upstream_protocol: 'grpcs' as const },
      { path: '/b', grpc_pass: 'grpcs://127.0.0.1:1' },
    ]
    const upstreams = [{ servers: [{ address: '127.0.0.1:1' }] }]
    const { output, rendered } = testRendered(binary, configOf({ certificates, upstreams, virtual_hosts: [host({ locations })] }))
    expect(output).toContain('test is successful')
    expect(rendered.files[0]!.text.match(/grpc_ssl_name .*/g)).toEqual(['grpc_ssl_name $host;'])
    expect(rendered.files[0]!.text.match(/grpc_ssl_server_name on;/g)).toHaveLength(2)
  })
})

test('an nginx without HTTP/2 answers 502, says why and serves on', () => {
  const facts = { ...binaries[0]!.facts, supports: { ...binaries[0]!.facts.supports, http2: false } }
  const config = configOf({ certificates, virtual_hosts: [host({ locations: [{ path: '/', grpc_pass: 'grpc://a:1' }] })] })
  const { findings } = render(config, targetFor({ facts, path: '' }, '/run/nxmesh'))
  expect(findings).toContainEqual(expect.objectContaining({ severity: 'error', field: 'locations.0.grpc_pass' }))
})

test.each<[Partial<Host>, string[]]>([
  [{ http2_enabled: false, locations: [{ path: '/', grpc_pass: 'grpc://a' }] }, ['locations.0.grpc_pass INVALID_VALUE']],
  [{ locations: [{ path: '/', grpc_pass: 'grpc://a', proxy_pass: 'http://b' }] }, ['locations.0.grpc_pass CONFLICT']],
  [{ locations: [{ path: '/', upstream_protocol: 'grpc' }] }, ['locations.0.upstream_protocol INVALID_VALUE']],
  [{ locations: [{ path: '/', grpc_pass: 'grpc://a', proxy_cache: {} }] }, ['locations.0.proxy_cache INVALID_VALUE']],
  [
    { locations: [{ path: '/', grpc_pass: 'grpc://a', proxy: { read_timeout: 9 }, custom_directives: { grpc_read_timeout: '5s' } }] },
    ['locations.0.custom_directives.grpc_read_timeout CONFLICT'],
  ],
])('checks %j', (more, problems) => {
  const config = configOf({ certificates, virtual_hosts: [host(more)] })
  expect(checkVirtualHost(config.virtual_hosts[0]!).map(({ field, code }) => `${field} ${code}`)).toEqual(problems)
})
