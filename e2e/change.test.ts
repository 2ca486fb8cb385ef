import { routes } from '@nxmesh/api/routes'
import { get } from '@nxmesh/testkit/get'
import { startMesh } from '@nxmesh/testkit/mesh'
import { startOrigin } from '@nxmesh/testkit/origin'
import { freePort } from '@nxmesh/testkit/ports'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

test('a virtual host made through REST is served by nginx, balanced over its servers', async () => {
  await using mesh = await startMesh()
  await using one = await startOrigin('one')
  await using two = await startOrigin('two')
  const params = { workspace_id: mesh.workspaceId }
  const servers = [{ address: one.address }, { address: two.address }]
  const upstream = await mesh.client.call(routes.createUpstream, { params, body: { name: 'web', servers } })
  const port = await freePort()
  const locations = [{ path: '/', upstream_id: upstream.id, custom_headers: [{ name: 'X-Forwarded-Proto', value: '$scheme' }] }]
  await mesh.client.call(routes.createVirtualHost, {
    params,
    body: { name: 'Hello', server_name: 'hello.test', listen_port: port, locations },
  })

  await until('the host to answer', async () => (await get(port, 'hello.test')).status === 200)
  const bodies = await Promise.all(Array.from({ length: 10 }, async () => (await get(port, 'hello.test')).body))
  expect(new Set(bodies)).toEqual(new Set(['one', 'two']))
  expect(one.requests.at(-1)?.headers).toMatchObject({ host: 'hello.test', 'x-forwarded-proto': 'http' })

  const agent = await mesh.settled(mesh.agents[0]!.id)
  expect(agent.config).toMatchObject({ status: 'success', error: null, applied: { version: 2 }, serving: { version: 2 } })
  expect(agent.health).toMatchObject({ nginx_status: 'running', config_version: 2 })
})
