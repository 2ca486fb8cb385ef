import { routes } from '@nxmesh/api/routes'
import { get } from '@nxmesh/testkit/get'
import { accessToken } from '@nxmesh/testkit/master'
import { startMesh } from '@nxmesh/testkit/mesh'
import { nginxBinaries } from '@nxmesh/testkit/nginx'
import { startOrigin } from '@nxmesh/testkit/origin'
import { freePort } from '@nxmesh/testkit/ports'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'
import { listenWith } from '../packages/master/tests/events/listening.ts'

const binaries = nginxBinaries()

test.each([binaries[0]!, binaries.at(-1)!])(
  'people see which servers fail their checks, and the files that leave them out: %s',
  async (nginx) => {
    await using mesh = await startMesh({ agents: 0 })
    const { id } = await mesh.addAgent('checking', { nginx })
    await using events = await listenWith(mesh.base, await accessToken(mesh.base))
    const well = await startOrigin('well')
    const gone = await startOrigin('gone')
    await using stack = new AsyncDisposableStack()
    stack.use(well)
    const params = { workspace_id: mesh.workspaceId }
    const check = { enabled: true, interval: 1, timeout: 1, healthy_threshold: 1, unhealthy_threshold: 2 }
    const body = { name: 'checked', servers: [{ address: well.address }, { address: gone.address }], health_check: check }
    const upstream = await mesh.client.call(routes.createUpstream, { params, body })
    const port = await freePort()
    const locations = [{ path: '/', upstream_id: upstream.id }]
    await mesh.client.call(routes.createVirtualHost, {
      params,
      body: { name: 'site', server_name: 'site.test', listen_port: port, locations },
    })
    await mesh.settled(id)

    const health = async () => (await mesh.client.call(routes.getUpstreamHealth, { params: { upstream_id: upstream.id } })).data[0]
    const server = async (address: string) => (await health())?.servers.find((each) => each.address === address)
    await until('both to be up', async () => (await health())?.servers.filter(({ state }) => state === 'up').length === 2)
    expect(well.requests[0]).toMatchObject({ method: 'GET', url: '/', headers: { host: 'site.test' } })

    await gone[Symbol.asyncDispose]()
    await until('one to be out', async () => (await server(gone.address))?.in_rotation === false)
    expect(await server(gone.address)).toMatchObject({ state: 'down', last_error: expect.stringContaining('ECONNREFUSED') })
    expect(await server(well.address)).toMatchObject({ state: 'up', in_rotation: true, last_error: null })
    expect((await mesh.show(id)).health!.upstream_servers).toHaveLength(2)
    expect(await mesh.client.call(routes.getUpstream, { params: { upstream_id: upstream.id } })).toEqual(upstream)
    await until('nginx to leave it out', async () => (await get(port, 'site.test')).body === 'well')

    const shown = await until('the files to be those of the agent', async () => {
      const { applied } = await mesh.client.call(routes.getAgentConfig, { params: { agent_id: id } })
      return applied?.matches_agent === true && applied
    })
    const { config } = await mesh.show(id)
    expect(config.applied!.digest).toBe(config.desired!.digest)
    expect(config.serving!.digest).toBe(config.desired!.digest)
    const conf = shown.files!.find((file) => file.path === 'http.conf')!.content!
    expect(conf).toMatch(new RegExp(`server ${gone.address} (down|backup);`))
    const { files } = await mesh.client.call(routes.diffAgentConfig, { params: { agent_id: id } })
    expect(files).toEqual([])

    const { data: fell } = await events.next('upstream.server_down')
    expect(fell).toMatchObject({
      agent_id: id,
      upstream_id: upstream.id,
      address: gone.address,
      error: expect.stringContaining('ECONNREFUSED'),
    })
    await using _back = await startOrigin('back', gone.port)
    const { data: rose } = await events.next('upstream.server_up')
    expect(rose).toEqual({ agent_id: id, upstream_id: upstream.id, address: gone.address })
    expect(events.events.filter(({ type }) => type.startsWith('upstream.server_'))).toHaveLength(2)

    await mesh.agents[0]!.agent[Symbol.asyncDispose]()
    await until('nobody to know any more', async () => (await server(well.address))?.state === 'unknown')
  },
)
