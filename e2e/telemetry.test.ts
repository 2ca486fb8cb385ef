import { appendFile, chmod, copyFile, readdir, readFile, rename, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import { startMesh } from '@nxmesh/testkit/mesh'
import { nginxPid } from '@nxmesh/testkit/nginx'
import { requestTimes } from '@nxmesh/testkit/requests'
import { addHost, arrived, each, linesOf, metricsOf } from '@nxmesh/testkit/traffic'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

const quick = { lookEvery: 100, measureEvery: 200 }

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
  expect(await arrived(mesh, 450)).toEqual(each(450))

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

test('the requests of thousands of hosts are counted, and told in messages that a master takes', async () => {
  await using mesh = await startMesh({ agents: 0 })
  const { id, dataDir } = await mesh.addAgent('many', { overrides: { telemetry: quick } })
  const host = await addHost(mesh, 'one-of-many')
  await mesh.settled(id)
  await requestTimes(host.port, host.name, 1)
  const log = join(dataDir, 'runtime', 'access.log')
  const line = await until('a line', async () => (await readFile(log, 'utf8')) || undefined)
  // As nginx would have written them for as many hosts, which would take it a while to load.
  const idOf = (index: number) => `00000000-0000-7000-8000-${String(index).padStart(12, '0')}`
  await appendFile(log, Array.from({ length: 4000 }, (_, index) => line.replace(host.id, idOf(index))).join(''))
  await until('all to be counted', async () => (await metricsOf(mesh)).requests_total === 4001)
  expect(await linesOf(mesh)).toHaveLength(4001)
  expect(await requestTimes(host.port, host.name, 10)).toEqual({ 200: 10 })
  await until('the next ones too', async () => (await metricsOf(mesh)).requests_total === 4011)
  expect(await mesh.show(id)).toMatchObject({ state: 'online' })
})

test('no line is lost or doubled while the agent rotates the log, and what has arrived is deleted', async () => {
  await using mesh = await startMesh({ agents: 0 })
  // Workers open the new logs themselves, as a user of their own.
  await chmod(mesh.directory, 0o711)
  const { id, dataDir } = await mesh.addAgent('rotating', { overrides: { telemetry: { ...quick, lookEvery: 50, rotateAt: 20_000 } } })
  const host = await addHost(mesh, 'rotated')
  await mesh.settled(id)
  expect(await requestTimes(host.port, host.name, 4000)).toEqual({ 200: 4000 })
  expect(await arrived(mesh, 4000)).toEqual(each(4000))
  const logs = async () => (await readdir(join(dataDir, 'runtime'))).filter((name) => name.startsWith('access.log'))
  await until('rotated logs to be deleted', async () => (await logs()).length <= 2)
})

test('others may rotate the log: by a new name or by emptying it', async () => {
  await using mesh = await startMesh({ agents: 0 })
  await chmod(mesh.directory, 0o711)
  const { id, dataDir } = await mesh.addAgent('foreign', { overrides: { telemetry: quick } })
  const host = await addHost(mesh, 'foreign')
  await mesh.settled(id)
  const path = join(dataDir, 'runtime', 'access.log')
  await requestTimes(host.port, host.name, 300)
  await rename(path, `${path}.1`)
  // Until nginx is told, it goes on in the old file.
  await requestTimes(host.port, host.name, 100)
  process.kill((await nginxPid(dataDir))!, 'SIGUSR1')
  await until('a new log', async () => (await stat(path).catch(() => undefined)) !== undefined)
  await requestTimes(host.port, host.name, 100)
  expect(await arrived(mesh, 500)).toEqual(each(500))
  await copyFile(path, `${path}.copy.gz`)
  await truncate(path, 0)
  await requestTimes(host.port, host.name, 20)
  expect(await arrived(mesh, 520)).toEqual(each(520))
})

test('the error log comes with its levels, and what goes on over lines stays together', async () => {
  await using mesh = await startMesh({ agents: 0 })
  const { id } = await mesh.addAgent('erring', { overrides: { telemetry: quick } })
  const body = { name: 'dead', server_name: 'dead.test', listen_port: (await addHost(mesh, 'alive')).port }
  const locations = [{ path: '/', proxy_pass: 'http://127.0.0.1:9' }]
  const params = { workspace_id: mesh.workspaceId }
  await mesh.client.call(routes.createVirtualHost, { params, body: { ...body, locations } })
  await mesh.settled(id)
  expect(await requestTimes(body.listen_port, 'dead.test', 3)).toEqual({ 502: 3 })
  const { data } = await until('its errors', async () => {
    const page = await mesh.client.call(routes.listErrorLogs, { params, query: { level: 'error' } })
    return page.meta.total >= 3 && page
  })
  expect(data[0]).toMatchObject({ agent_id: id, level: 'error', message: expect.stringContaining('connect() failed (111') })
  expect(Math.abs(Date.parse(data[0]!.timestamp) - Date.now())).toBeLessThan(60_000)
})
