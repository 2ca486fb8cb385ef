import { chmod, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import { type Mesh, startMesh } from '@nxmesh/testkit/mesh'
import { freePort } from '@nxmesh/testkit/ports'
import { requestTimes } from '@nxmesh/testkit/requests'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

const quick = { lookEvery: 100, measureEvery: 200 }

interface Host {
  id: string
  port: number
  name: string
}

/** A virtual host that answers by itself: `/` with 200, `/gone` with 404, `/broken` with 502. */
async function addHost({ client, workspaceId }: Pick<Mesh, 'client' | 'workspaceId'>, name: string): Promise<Host> {
  const port = await freePort()
  const answers = [
    ['/', 200],
    ['/gone', 404],
    ['/broken', 502],
  ] as const
  const locations = answers.map(([path, status]) => ({ path, custom_directives: { return: `${status} "${name}"` } }))
  const body = { name, server_name: `${name}.test`, listen_port: port, locations }
  const { id } = await client.call(routes.createVirtualHost, { params: { workspace_id: workspaceId }, body })
  return { id, port, name: `${name}.test` }
}

const metricsOf = ({ client, workspaceId }: Pick<Mesh, 'client' | 'workspaceId'>) =>
  client.call(routes.getWorkspaceMetrics, { params: { workspace_id: workspaceId }, query: {} })

/** Every line of the access log that the master has, oldest first. */
async function linesOf({ client, workspaceId }: Pick<Mesh, 'client' | 'workspaceId'>) {
  const lines = []
  let cursor: string | undefined
  do {
    const query = { limit: '1000', ...(cursor === undefined ? {} : { cursor }) }
    const page = await client.call(routes.listAccessLogs, { params: { workspace_id: workspaceId }, query })
    lines.push(...page.data)
    cursor = page.meta.next_cursor
  } while (cursor !== undefined)
  return lines.reverse()
}

async function expectExactly(mesh: Mesh, requests: number): Promise<void> {
  await until(`${requests} requests counted`, async () => (await metricsOf(mesh)).requests_total >= requests)
  await until(`${requests} lines`, async () => (await linesOf(mesh)).length >= requests)
  const lines = await linesOf(mesh)
  expect(new Set(lines.map(({ request_id }) => request_id)).size).toBe(lines.length)
  expect(lines).toHaveLength(requests)
  expect((await metricsOf(mesh)).requests_total).toBe(requests)
}

test('every request is counted by its host and status, and is a line that can be asked for', async () => {
  await using mesh = await startMesh({ agents: 0 })
  const { id } = await mesh.addAgent('counted', { overrides: { telemetry: quick } })
  const one = await addHost(mesh, 'one')
  const two = await addHost(mesh, 'two')
  await mesh.settled(id)
  const paths = ['/', '/', '/gone', '/broken']
  const ofOne = await requestTimes(one.port, one.name, 400, (index) => `${paths[index % 4]}?n=${index}`)
  const ofTwo = await requestTimes(two.port, two.name, 50, () => '/"quoted\\end')
  expect(ofOne).toEqual({ 200: 200, 404: 100, 502: 100 })
  expect(ofTwo).toEqual({ 200: 50 })
  await expectExactly(mesh, 450)

  const metrics = await metricsOf(mesh)
  expect(metrics.status_codes).toEqual({ '2xx': 250, '3xx': 0, '4xx': 100, '5xx': 100 })
  expect(metrics.error_rate).toBeCloseTo(100 / 450)
  const lines = await linesOf(mesh)
  expect(metrics.bandwidth.out_bytes).toBe(lines.reduce((sum, { bytes_sent }) => sum + bytes_sent!, 0))
  expect(metrics.bandwidth.in_bytes).toBe(lines.reduce((sum, { request_bytes }) => sum + request_bytes!, 0))
  expect(await mesh.client.call(routes.getAgentMetrics, { params: { agent_id: id }, query: {} })).toMatchObject({ requests_total: 450 })
  const broken = lines.filter(({ status }) => status === 502)
  expect(broken).toHaveLength(100)
  expect(broken[0]).toMatchObject({ agent_id: id, virtual_host_id: one.id, method: 'GET', protocol: 'HTTP/1.1', host: one.name })
  expect(lines.filter(({ virtual_host_id }) => virtual_host_id === two.id)).toHaveLength(50)
})

test('no line is lost or doubled while the agent rotates the log, and what has arrived is deleted', async () => {
  await using mesh = await startMesh({ agents: 0 })
  // Workers open the new logs themselves, as a user of their own.
  await chmod(mesh.directory, 0o711)
  const { id, dataDir } = await mesh.addAgent('rotating', { overrides: { telemetry: { ...quick, lookEvery: 50, rotateAt: 20_000 } } })
  const host = await addHost(mesh, 'rotated')
  await mesh.settled(id)
  expect(await requestTimes(host.port, host.name, 4000)).toEqual({ 200: 4000 })
  await expectExactly(mesh, 4000)
  const logs = async () => (await readdir(join(dataDir, 'runtime'))).filter((name) => name.startsWith('access.log'))
  await until('rotated logs to be deleted', async () => (await logs()).length <= 2)
})
