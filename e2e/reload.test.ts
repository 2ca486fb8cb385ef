import { createServer, request } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { routes } from '@nxmesh/api/routes'
import { startMesh } from '@nxmesh/testkit/mesh'
import { freePort } from '@nxmesh/testkit/ports'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

/** A server whose answers stay open until the test ends them, and which takes upgrades and echoes. */
async function startSlowOrigin() {
  const answers: { end(text: string): void }[] = []
  const sockets = new Set<Socket>()
  const server = createServer((_request, response) => {
    response.write('begin ')
    answers.push(response)
  })
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    answers,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function open(port: number, headers: Record<string, string>) {
  const asked = request({ port, path: '/', host: '127.0.0.1', agent: false, headers: { host: 'slow.test', ...headers } })
  asked.end()
  return asked
}

test('answers and WebSockets that are under way live on through changes; the old workers that carry them are shown', async () => {
  await using mesh = await startMesh()
  await using origin = await startSlowOrigin()
  const { id } = mesh.agents[0]!
  const params = { workspace_id: mesh.workspaceId }
  const port = await freePort()
  const upstream = await mesh.client.call(routes.createUpstream, {
    params,
    body: { name: 'slow', servers: [{ address: origin.address }] },
  })
  const locations = [{ path: '/', upstream_id: upstream.id }]
  const host = await mesh.client.call(routes.createVirtualHost, {
    params,
    body: { name: 'slow', server_name: 'slow.test', listen_port: port, locations },
  })
  await mesh.settled(id)

  const body = new Promise<string>((resolve, reject) => {
    const asked = open(port, {})
    asked.on('error', reject)
    asked.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve(text))
      response.on('error', reject)
    })
  })
  const socket = await new Promise<Socket>((resolve, reject) => {
    const asked = open(port, { connection: 'Upgrade', upgrade: 'websocket' })
    asked.on('error', reject)
    asked.on('upgrade', (_response, upgraded) => resolve(upgraded as Socket))
  })
  await until('the slow answer to begin', () => origin.answers.length === 1)

  for (const seconds of ['11s', '12s']) {
    const change = { custom_directives: { proxy_connect_timeout: seconds } }
    await mesh.client.call(routes.updateVirtualHost, { params: { virtual_host_id: host.id }, body: change })
    await mesh.settled(id)
  }
  const agent = await until('the old workers to be shown', async () => {
    const shown = await mesh.show(id)
    return (shown.health?.workers_shutting_down ?? 0) > 0 && shown
  })
  expect(agent.state).toBe('online')

  const echoed = new Promise<string>((resolve) => socket.once('data', (bytes: Buffer) => resolve(bytes.toString())))
  socket.write('still there')
  expect(await echoed).toBe('still there')
  origin.answers[0]!.end('end')
  expect(await body).toBe('begin end')
  socket.destroy()
  await until('the old workers to be gone', async () => (await mesh.show(id)).health?.workers_shutting_down === 0)
})
