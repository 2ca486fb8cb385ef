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

test('a config is told to be applied, however much of it had to be left out', async () => {
  await using mesh = await startMesh()
  const { id } = mesh.agents[0]!
  const params = { workspace_id: mesh.workspaceId }
  for (const name of ['first', 'second']) {
    const locations = Array.from({ length: 600 }, (_, at) => ({ path: `/${at}`, proxy_pass: 'http://nowhere.invalid' }))
    const body = { name, server_name: `${name}.test`, listen_port: await freePort(), locations }
    await mesh.client.call(routes.createVirtualHost, { params, body })
  }
  const { config, state } = await until('both to be applied', async () => {
    const agent = await mesh.show(id)
    return agent.config.applied?.version === 2 && agent.config.status === 'success' && agent
  })
  expect(state).toBe('degraded')
  expect(config.findings).toHaveLength(1000)
  expect(config.findings[0]).toMatchObject({ kind: 'virtual_host', field: 'locations.0.proxy_pass' })
  expect(config.findings.at(-1)).toEqual({ severity: 'warning', message: '201 more findings have no room here' })
})
