import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import { get } from '@nxmesh/testkit/get'
import { startMesh } from '@nxmesh/testkit/mesh'
import { scratch } from '@nxmesh/testkit/scratch'
import { addSite } from '@nxmesh/testkit/site'
import { expect, test } from 'vitest'

test('what is told of requests is what the agent’s nginx does with them, and names the object and field behind it', async () => {
  await using folder = await scratch()
  await using mesh = await startMesh()
  const { id: agent_id } = mesh.agents[0]!
  await using site = await addSite(mesh, 'told')
  const root = join(folder.path, 'files')
  await mkdir(root)
  // The workers of nginx run as a user of their own.
  await chmod(folder.path, 0o755)
  await writeFile(join(root, 'page.html'), 'page')
  const locations = [
    { path: '/', upstream_id: site.upstreamId, custom_headers: [{ name: 'X-Told', value: 'a', direction: 'response' as const }] },
    { path: '= /exact', custom_directives: { return: '200 exact' } },
    { path: '^~ /files/', root: folder.path, custom_directives: { error_page: '404 = @gone' } },
    { path: '~ ^/item/(\\d+)$', rewrite_rules: [{ pattern: '^/item/(.*)$', replacement: '/exact?id=$1', flag: 'last' as const }] },
    { path: '/old', rewrite_rules: [{ pattern: '^/old/(.*)$', replacement: '/new/$1', flag: 'permanent' as const }] },
    { path: '/locked/', upstream_id: site.upstreamId, custom_directives: { deny: 'all' } },
    { path: '@gone', custom_directives: { return: '410 gone' } },
  ]
  await mesh.client.call(routes.updateVirtualHost, { params: { virtual_host_id: site.id }, body: { locations } })
  await mesh.settled(agent_id)
  const existing_files = [join(root, 'page.html')]
  const ask = (path: string, host = site.serverName) =>
    mesh.client.call(routes.explainRequest, {
      params: { workspace_id: mesh.workspaceId },
      body: { agent_id, host, port: site.port, path, existing_files },
    })

  const proxied = await ask('/any?x=1')
  expect(proxied).toMatchObject({
    outcome: { kind: 'proxy', uri: '/any?x=1', place: { kind: 'virtual_host', id: site.id, field: 'locations.0.upstream_id' } },
    server: { reason: 'exact_name', place: { id: site.id } },
    location: { path: '/', reason: 'longest_prefix', place: { field: 'locations.0.path' } },
    response_headers: [{ name: 'X-Told', value: 'a' }],
    assumptions: [],
  })
  expect(proxied.outcome.kind === 'proxy' && proxied.outcome.servers[0]!.place).toMatchObject({ kind: 'upstream', id: site.upstreamId })
  for (const [path, status, field, told] of [
    ['/exact', 200, 'locations.1.path', { kind: 'answer', body: 'exact' }],
    ['/item/12', 200, 'locations.1.path', { kind: 'answer', body: 'exact' }],
    ['/item/x', 200, 'locations.0.path', { kind: 'proxy' }],
    ['/files/page.html', 200, 'locations.2.path', { kind: 'file', path: existing_files[0] }],
    ['/files/none', 410, 'locations.6.path', { kind: 'answer', body: 'gone' }],
    ['/old/a', 301, 'locations.4.path', { kind: 'redirect', location: '/new/a' }],
    ['/locked/a', 403, 'locations.5.path', { kind: 'error', place: { field: 'locations.5.custom_directives.deny' } }],
    ['/locked', 301, 'locations.5.path', { kind: 'redirect', location: '/locked/' }],
    ['/a/../../b', 400, undefined, { kind: 'error' }],
  ] as const) {
    const { outcome, location } = await ask(path)
    expect(outcome, path).toMatchObject(told)
    expect(location?.place?.field, path).toBe(field)
    const answer = await get(site.port, site.serverName, path)
    expect(answer.status, path).toBe(status)
    if ('status' in outcome) expect(outcome.status, path).toBe(status)
    if (outcome.kind === 'answer') expect(answer.body).toBe(outcome.body)
  }
  expect(await ask('/', 'stranger.test')).toMatchObject({ outcome: { kind: 'closed' }, server: { reason: 'default_server' } })
})

test('an agent of elsewhere and one that says nothing of its nginx', async () => {
  await using mesh = await startMesh({ agents: 0 })
  const params = { workspace_id: mesh.workspaceId }
  const ask = (agent_id: string) => mesh.client.call(routes.explainRequest, { params, body: { agent_id, host: 'a.test' } })
  await expect(ask('00000000-0000-7000-8000-000000000000')).rejects.toMatchObject({
    code: 'VALIDATION_ERROR',
    details: [{ field: 'agent_id', code: 'UNKNOWN_REFERENCE' }],
  })
  const { agent_id } = await mesh.client.call(routes.createAgentToken, { params, body: { name: 'silent' } })
  await expect(ask(agent_id)).rejects.toMatchObject({ code: 'CONFLICT' })
})
