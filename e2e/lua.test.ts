import { existsSync } from 'node:fs'
import { routes } from '@nxmesh/api/routes'
import { get } from '@nxmesh/testkit/get'
import { type Mesh, startMesh } from '@nxmesh/testkit/mesh'
import { nginxBinaries } from '@nxmesh/testkit/nginx'
import { freePort } from '@nxmesh/testkit/ports'
import { until } from '@nxmesh/testkit/until'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const nginx = '/usr/sbin/nginx'
const missing = existsSync('/usr/lib/nginx/modules/ngx_http_lua_module.so') ? '' : ' (skipped: libnginx-mod-http-lua is not installed)'
// The releases beside the tree have no modules of their own where they look for them.
const other = nginxBinaries().find((binary) => !binary.includes('/1.22/') && binary !== nginx)

let mesh: Mesh
beforeEach(async () => {
  mesh = await startMesh({ agents: 0 })
  await mesh.client.call(routes.updateWorkspace, { params: { workspace_id: mesh.workspaceId }, body: { lua_allowed: true } })
}, 60_000)
afterEach(() => mesh[Symbol.asyncDispose]())

const newHost = (name: string, listen_port: number, rest: object) =>
  mesh.client.call(routes.createVirtualHost, {
    params: { workspace_id: mesh.workspaceId },
    body: { name, server_name: `${name}.test`, listen_port, ...rest },
  })

/** The nginx.conf that an agent has written, as the master knows it. */
async function mainOf(agent_id: string): Promise<string> {
  const files = await until('the agent to say that it has these files', async () => {
    const { applied } = await mesh.client.call(routes.getAgentConfig, { params: { agent_id } })
    return applied?.matches_agent === true && applied.files
  })
  return files.find(({ path }) => path === 'nginx.conf')!.content!
}

describe.skipIf(missing !== '')(`Lua on Debian's nginx${missing}`, () => {
  test('its modules are loaded when it is used, it decides and answers, and a reload without it lets go of them', {
    timeout: 120_000,
  }, async () => {
    const port = await freePort()
    const { id } = await mesh.addAgent('debian', { nginx })
    const plain = await newHost('plain', port, { locations: [{ path: '/', custom_directives: { return: '200 plain' } }] })
    await mesh.settled(id)
    expect(await mainOf(id)).not.toContain('load_module')
    const host = await newHost('scripted', port, {
      custom_directives: { access_by_lua_block: '{ if ngx.var.http_x_key ~= "}" then return ngx.exit(403) end -- }\n}' },
      locations: [
        { path: '/', custom_directives: { content_by_lua_block: '{ ngx.say(ngx.shared.seen:incr("n", 1, 0), " ", limits[1]) }' } },
      ],
    })
    await mesh.client.call(routes.updateSettings, {
      params: { workspace_id: mesh.workspaceId },
      body: { nginx_directives: { lua_shared_dict: 'seen 1m', init_by_lua_block: '{ limits = { 7 } }' } },
    })
    await mesh.settled(id)
    const lines = (await mainOf(id)).split('\n').filter((line) => line.startsWith('load_module'))
    expect(lines.map((line) => line.split('/').at(-1))).toEqual(['ndk_http_module.so;', 'ngx_http_lua_module.so;'])
    expect((await get(port, 'scripted.test')).status).toBe(403)
    const key = { 'x-key': '}' }
    expect((await get(port, 'scripted.test', '/', key)).body).toBe('1 7\n')
    expect((await get(port, 'scripted.test', '/', key)).body).toBe('2 7\n')
    expect((await get(port, 'plain.test')).body).toBe('plain')
    const explained = await mesh.client.call(routes.explainRequest, {
      params: { workspace_id: mesh.workspaceId },
      body: { agent_id: id, host: 'scripted.test', port },
    })
    expect(explained.outcome).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('access_by_lua_block') })

    await mesh.client.call(routes.deleteVirtualHost, { params: { virtual_host_id: host.id } })
    await mesh.client.call(routes.updateSettings, {
      params: { workspace_id: mesh.workspaceId },
      body: { nginx_directives: { lua_shared_dict: null, init_by_lua_block: null } },
    })
    await mesh.settled(id)
    expect(await mainOf(id)).not.toContain('load_module')
    expect((await get(port, 'plain.test')).body).toBe('plain')
    await mesh.client.call(routes.deleteVirtualHost, { params: { virtual_host_id: plain.id } })
  })
})

test.skipIf(!other)(
  'an nginx without Lua leaves out the virtual host that has it, and serves the others',
  { timeout: 120_000 },
  async () => {
    const port = await freePort()
    const { id } = await mesh.addAgent('bare', { nginx: other! })
    const scripted = await newHost('closed', port, {
      locations: [{ path: '/', custom_directives: { access_by_lua_block: '{ ngx.exit(403) }', return: '200 open' } }],
    })
    await newHost('open', port, { locations: [{ path: '/', custom_directives: { return: '200 open' } }] })
    await mesh.client.call(routes.updateSettings, {
      params: { workspace_id: mesh.workspaceId },
      body: { nginx_directives: { lua_code_cache: 'on' } },
    })
    await expect
      .poll(async () => (await mesh.show(id)).config.findings.map(({ field }) => field), { timeout: 40_000 })
      .toEqual(['nginx_directives.lua_code_cache', 'locations.0.custom_directives.access_by_lua_block'])
    const { config, state } = await mesh.show(id)
    expect(config.status).toBe('success')
    expect(state).toBe('degraded')
    expect(config.findings[1]).toMatchObject({ id: scripted.id, severity: 'error', message: expect.stringContaining('has no Lua module') })
    expect((await get(port, 'open.test')).body).toBe('open')
    await expect(get(port, 'closed.test')).rejects.toThrow(Error)
  },
)
