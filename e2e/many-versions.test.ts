import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { connect } from 'node:http2'
import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import { get } from '@nxmesh/testkit/get'
import { type Mesh, type MeshAgent, startMesh } from '@nxmesh/testkit/mesh'
import { nginxBinaries } from '@nxmesh/testkit/nginx'
import { type Origin, startOrigin } from '@nxmesh/testkit/origin'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const stack = new AsyncDisposableStack()
let mesh: Mesh
let files: string
let one: Origin
let two: Origin
let echo: string

beforeAll(async () => {
  mesh = stack.use(await startMesh({ agents: 0 }))
  files = stack.use(await scratch()).path
  // Workers are another user.
  await chmod(files, 0o755)
  one = stack.use(await startOrigin('one'))
  two = stack.use(await startOrigin('two'))
  echo = stack.use(await startEcho()).address
})

afterAll(() => stack.disposeAsync())

/** A server that takes an upgrade and sends back every byte, as a WebSocket server does under its frames. */
async function startEcho(): Promise<AsyncDisposable & { address: string }> {
  const server = createServer((_request, response) => response.writeHead(426).end())
  const open = new Set<{ destroy(): void }>()
  server.on('upgrade', (_request, socket) => {
    open.add(socket)
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${(server.address() as { port: number }).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Upgrades a connection through nginx and returns what comes back for a text. */
function upgrade(port: number, host: string, path: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { host, connection: 'Upgrade', upgrade: 'websocket' }
    const asked = request({ port, path, host: '127.0.0.1', agent: false, headers })
    asked.on('upgrade', (_response, socket) => {
      socket.once('data', (bytes: Buffer) => {
        socket.destroy()
        resolve(bytes.toString())
      })
      socket.write(text)
    })
    asked.on('response', (response) => reject(new Error(`it was not upgraded: ${response.statusCode}`)))
    asked.on('error', reject)
    asked.end()
  })
}

/** What a host answers over HTTP/2 without TLS (RFC 9113, section 3.3). */
function getHttp2(port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`)
    session.on('error', reject)
    const stream = session.request({ ':path': '/', ':authority': host })
    let body = ''
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk
    })
    stream.on('end', () => session.close(() => resolve(body)))
    stream.on('error', reject)
  })
}

describe.each(nginxBinaries().map((binary) => [binary.split('/.nginx/')[1]?.split('/')[0] ?? binary, binary]))(
  'nginx %s',
  (label, nginx) => {
    let agent: MeshAgent
    let port: number
    let hostId: string
    const host = 'all.test'

    beforeAll(async () => {
      agent = await mesh.addAgent(`nginx-${label.replaceAll('/', '-')}`, { nginx })
      port = await freePort()
      const root = join(files, `${port}`)
      await mkdir(join(root, 'static'), { recursive: true })
      await writeFile(join(root, 'static/page.html'), 'a page')
      const params = { workspace_id: mesh.workspaceId }
      const servers = [{ address: one.address, weight: 1 }, { address: two.address }, { address: '127.0.0.1:1', down: true }]
      const web = { name: `web-${port}`, algorithm: 'least_connections', servers, keepalive_connections: 4 } as const
      const upstream = await mesh.client.call(routes.createUpstream, { params, body: web })
      const sockets = await mesh.client.call(routes.createUpstream, {
        params,
        body: { name: `sockets-${port}`, servers: [{ address: echo }] },
      })
      const made = await mesh.client.call(routes.createVirtualHost, {
        params,
        body: {
          name: `all-${port}`,
          server_name: host,
          listen_port: port,
          http2_enabled: true,
          target_agents: { type: 'agents', agent_ids: [agent.id] },
          locations: [
            { path: '/', upstream_id: upstream.id, custom_headers: [{ name: 'X-Seen-By', value: '$server_name' }] },
            { path: '~ ^/numbers/[0-9]{2,3}$', upstream_id: upstream.id },
            { path: '/old/', rewrite_rules: [{ pattern: '^/old/(.*)$', replacement: '/new/$1', flag: 'permanent' }] },
            { path: '/inner/', upstream_id: upstream.id, rewrite_rules: [{ pattern: '^/inner/(.*)$', replacement: '/$1', flag: 'break' }] },
            { path: '/static/', root, index: 'page.html', custom_headers: [{ name: 'Cache-Control', value: 'max-age=60' }] },
            { path: '/socket', upstream_id: sockets.id },
          ],
        },
      })
      hostId = made.id
      await mesh.settled(agent.id)
    })

    test('runs the release it says', async () => {
      const { health } = await mesh.show(agent.id)
      if (/^\d/.test(label)) expect(health?.nginx_version.startsWith(`${label}.`)).toBe(true)
      expect(health).toMatchObject({ nginx_status: 'running', nginx_installed_version: health?.nginx_version })
    })

    test('balances, sets headers, and takes what regular expressions match', async () => {
      const bodies = await Promise.all(Array.from({ length: 10 }, async () => (await get(port, host)).body))
      expect(new Set(bodies)).toEqual(new Set(['one', 'two']))
      expect([...one.requests, ...two.requests].at(-1)?.headers).toMatchObject({ host, 'x-seen-by': host })
      expect((await get(port, host, '/numbers/123')).status).toBe(200)
      expect((await get(port, host, '/numbers/123')).headers['x-seen-by']).toBeUndefined()
    })

    test('rewrites, redirects and serves files', async () => {
      expect(await get(port, host, '/old/x?y=1')).toMatchObject({
        status: 301,
        headers: { location: expect.stringMatching(/\/new\/x\?y=1$/) },
      })
      expect((await get(port, host, '/inner/deep')).status).toBe(200)
      const urls = [...one.requests, ...two.requests].map((each) => each.url)
      expect(urls).toContain('/deep')
      expect(urls).not.toContain('/inner/deep')
      expect(await get(port, host, '/static/')).toMatchObject({ status: 200, body: 'a page', headers: { 'cache-control': 'max-age=60' } })
      expect((await get(port, host, '/static/none')).status).toBe(404)
    })

    test('passes a WebSocket upgrade through', async () => {
      expect(await upgrade(port, host, '/socket', 'hello there')).toBe('hello there')
    })

    test('HTTP/2 without TLS is spoken, or left out with a warning, and HTTP/1.1 works either way', async () => {
      const { config, state } = await mesh.show(agent.id)
      expect(state).toBe('online')
      const warnings = config.findings.filter((finding) => finding.field === 'http2_enabled' && finding.id === hostId)
      const [, minor, patch] = (await mesh.show(agent.id)).health!.nginx_version.split('.').map(Number) as [number, number, number]
      if (minor > 25 || (minor === 25 && patch >= 1)) {
        expect(warnings).toEqual([])
        expect(await getHttp2(port, host)).toMatch(/^(one|two)$/)
      } else {
        expect(warnings).toMatchObject([{ severity: 'warning', kind: 'virtual_host' }])
      }
      expect((await get(port, host)).status).toBe(200)
    })

    test('refuses a broken change with the field it comes from, serves on, and takes the mended one', async () => {
      const params = { virtual_host_id: hostId }
      await mesh.client.call(routes.updateVirtualHost, { params, body: { custom_directives: { proxy_read_timeout: 'banana' } } })
      const broken = await until('the agent to be degraded', async () => {
        const shown = await mesh.show(agent.id)
        return shown.state === 'degraded' && shown
      })
      expect(broken.state_reason).toContain('"proxy_read_timeout" directive invalid value')
      expect(broken.config.findings).toContainEqual(expect.objectContaining({ id: hostId, field: 'custom_directives.proxy_read_timeout' }))
      expect((await get(port, host)).status).toBe(200)
      await mesh.client.call(routes.updateVirtualHost, { params, body: { custom_directives: { proxy_read_timeout: '7s' } } })
      await mesh.settled(agent.id)
      expect((await get(port, host)).status).toBe(200)
    })
  },
)
