import { routes } from '@nxmesh/api/routes'
import { get } from '@nxmesh/testkit/get'
import { startMesh } from '@nxmesh/testkit/mesh'
import { nginxBinaries } from '@nxmesh/testkit/nginx'
import { startOrigin } from '@nxmesh/testkit/origin'
import { hasModule, withOwnModules } from '@nxmesh/testkit/own-modules'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

const bodyAt = (port: number) =>
  get(port, 'any.test').then(
    ({ body }) => body,
    () => 'nobody',
  )

test('a stream host made through REST passes connections on, follows its upstream, and a rollback brings back what was', async () => {
  const binary = nginxBinaries().findLast((path) => hasModule(path, 'ngx_stream_module.so'))
  expect(binary, 'an nginx with the stream module').toBeDefined()
  await using folder = await scratch()
  await using mesh = await startMesh({ agents: 0 })
  const { id } = await mesh.addAgent('edge', { nginx: await withOwnModules(binary!, folder.path) })
  await using one = await startOrigin('one')
  await using two = await startOrigin('two')
  const params = { workspace_id: mesh.workspaceId }
  const upstream = await mesh.client.call(routes.createUpstream, { params, body: { name: 'app', servers: [{ address: one.address }] } })
  const port = await freePort()
  const host = await mesh.client.call(routes.createStreamHost, {
    params,
    body: { name: 'App', listen_port: port, upstream_id: upstream.id },
  })
  await until('the stream to answer', async () => (await bodyAt(port)) === 'one')
  const before = (await mesh.settled(id)).config.applied!.version
  const { nginx, applied } = await mesh.client.call(routes.getAgentConfig, { params: { agent_id: id } })
  expect(nginx?.supports).toContain('stream')
  expect(applied?.matches_agent).toBe(true)

  const change = { servers: [{ address: two.address }] }
  await mesh.client.call(routes.updateUpstream, { params: { upstream_id: upstream.id }, body: change })
  await until('the other one to answer', async () => (await bodyAt(port)) === 'two')
  const moved = await freePort()
  await mesh.client.call(routes.updateStreamHost, { params: { stream_host_id: host.id }, body: { listen_port: moved } })
  await until('the new port to answer', async () => (await bodyAt(moved)) === 'two')
  await until('the old one to be closed', async () => (await bodyAt(port)) === 'nobody')

  await mesh.client.call(routes.rollbackWorkspace, { params, body: { version: before } })
  await until('all to be as it was', async () => (await bodyAt(port)) === 'one' && (await bodyAt(moved)) === 'nobody')
  expect((await mesh.settled(id)).config).toMatchObject({ status: 'success', findings: [] })

  await mesh.client.call(routes.deleteStreamHost, { params: { stream_host_id: host.id } })
  await until('nobody to answer', async () => (await bodyAt(port)) === 'nobody')
})
