import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import type { AgentFiles } from '@nxmesh/model/agent-files'
import { startMesh } from '@nxmesh/testkit/mesh'
import { addSite } from '@nxmesh/testkit/site'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

/** The files of the generation that an agent serves, as they are on its disk. */
async function onDisk(dataDir: string, files: NonNullable<AgentFiles['desired']['files']>): Promise<Record<string, string>> {
  const texts = files.map(async ({ path }) => [path, await readFile(join(dataDir, 'current', path), 'utf8')] as const)
  return Object.fromEntries(await Promise.all(texts))
}

function shownFiles(files: AgentFiles['desired']['files']): Record<string, string | null> {
  return Object.fromEntries((files ?? []).map(({ path, content }) => [path, content]))
}

test('the files that the master shows are those on the disk of the agent, and the diff is what a change does to them', async () => {
  await using mesh = await startMesh()
  const { id, dataDir } = mesh.agents[0]!
  const params = { agent_id: id }
  const config = () => mesh.client.call(routes.getAgentConfig, { params })
  const diff = () => mesh.client.call(routes.diffAgentConfig, { params })
  await using site = await addSite(mesh, 'shown')
  // Files hold the addresses that the agent found for a name, which the master knows from it alone.
  await mesh.client.call(routes.createVirtualHost, {
    params: { workspace_id: mesh.workspaceId },
    body: { name: 'named', server_name: 'named.test', listen_port: 18_999, locations: [{ path: '/', proxy_pass: 'http://localhost:1/' }] },
  })
  await mesh.settled(id)
  const shown = await until('the agent to say what it wrote', async () => {
    const answer = await config()
    return answer.applied?.matches_agent === true && answer
  })
  expect(shown.applied!.digest).toBe(shown.desired.digest)
  expect(shown.nginx).toMatchObject({ mode: 'owned' })
  expect(await onDisk(dataDir, shown.desired.files!)).toEqual(shownFiles(shown.desired.files))
  expect(shownFiles(shown.applied!.files)).toEqual(shownFiles(shown.desired.files))
  expect(shownFiles(shown.desired.files)['http.conf']).toContain('server_name shown.test')
  expect(shownFiles(shown.desired.files)['http.conf']).toMatch(/upstream nxmesh_name_localhost_1 \{\n +server 127.0.0.1:1;/)
  expect(await diff()).toMatchObject({ objects: { added: [], removed: [], changed: [] }, files: [], note: null })

  const broken = { custom_directives: { proxy_read_timeout: 'banana' } }
  await mesh.client.call(routes.updateVirtualHost, { params: { virtual_host_id: site.id }, body: broken })
  await until('the agent to refuse it', async () => (await mesh.show(id)).config.status === 'failed')
  const between = await diff()
  expect(between.from).toEqual({ version: shown.desired.version, digest: shown.desired.digest })
  expect(between.objects!.changed).toMatchObject([
    { kind: 'virtual_host', id: site.id, fields: [{ field: 'custom_directives.proxy_read_timeout', after: 'banana' }] },
  ])
  const lines = between.files!.find((file) => file.path === 'http.conf')!.diff!.split('\n')
  expect(lines.filter((line) => /^\+\s+proxy_read_timeout banana;$/.test(line))).toHaveLength(1)
  expect(lines.some((line) => /^-\s+proxy_read_timeout/.test(line))).toBe(false)
  const after = await config()
  expect(after.applied).toMatchObject({ digest: shown.desired.digest, matches_agent: true })
  expect(await onDisk(dataDir, after.applied!.files!)).toEqual(shownFiles(after.applied!.files))

  const { data, meta } = await mesh.client.call(routes.listApplies, { params })
  expect(meta.total).toBeGreaterThanOrEqual(2)
  expect(data[0]).toMatchObject({ status: 'failed', version: after.desired.version, digest: after.desired.digest })
  expect(data[0]!.error).toContain('proxy_read_timeout')
  expect(data[0]!.findings).toMatchObject([{ field: 'custom_directives.proxy_read_timeout', id: site.id }])
  expect(data[1]).toMatchObject({ status: 'success', version: shown.desired.version, digest: shown.desired.digest, error: null })
  expect(Math.abs(Date.parse(data[1]!.applied_at!) - Date.parse(data[1]!.reported_at))).toBeLessThan(10_000)
})

test('what an agent runs is found again after its labels and the workspace have moved on without it', async () => {
  await using mesh = await startMesh({ agents: 0 })
  const { id } = await mesh.addAgent('labelled', { labels: { env: 'blue' } })
  const params = { agent_id: id }
  await using site = await addSite(mesh, 'blue')
  const only = { target_agents: { type: 'selector' as const, label_selector: 'env=blue' } }
  await mesh.client.call(routes.updateVirtualHost, { params: { virtual_host_id: site.id }, body: only })
  const settled = await mesh.settled(id)
  await until('the agent to say what it wrote', async () => {
    const { applied } = await mesh.client.call(routes.getAgentConfig, { params })
    return applied?.digest === settled.config.applied!.digest && applied.matches_agent === true
  })
  await mesh.agents[0]!.agent[Symbol.asyncDispose]()
  await until('the agent to be offline', async () => (await mesh.show(id)).state === 'offline')
  await mesh.client.call(routes.updateAgent, { params, body: { labels: { env: 'green' } } })
  await mesh.client.call(routes.deleteVirtualHost, { params: { virtual_host_id: site.id } })

  const { desired, applied } = await mesh.client.call(routes.getAgentConfig, { params })
  expect(applied).toMatchObject({ digest: settled.config.applied!.digest, matches_agent: true })
  expect(shownFiles(applied!.files)['http.conf']).toContain('server_name blue.test')
  expect(shownFiles(desired.files)['http.conf']).not.toContain('blue.test')
  const { objects } = await mesh.client.call(routes.diffAgentConfig, { params })
  expect(objects!.removed.map((object) => object.name).sort()).toEqual(['blue', 'blue-upstream'])
})
