import { spawnSync } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dataPaths } from '@nxmesh/agent/durable'
import { startAgent } from '@nxmesh/agent/start'
import { ApiError } from '@nxmesh/api/errors'
import { routes } from '@nxmesh/api/routes'
import { startTestMaster } from '@nxmesh/testkit/master'
import { startMesh } from '@nxmesh/testkit/mesh'
import { scratch } from '@nxmesh/testkit/scratch'
import { addSite } from '@nxmesh/testkit/site'
import { until } from '@nxmesh/testkit/until'
import { describe, expect, test } from 'vitest'

const isRoot = process.getuid?.() === 0

interface SmallDisk extends AsyncDisposable {
  path: string
  /** Takes all the space there is left. */
  fill(): Promise<void>
  /** Gives it back. */
  relieve(): Promise<void>
}

async function smallDisk(megabytes: number): Promise<SmallDisk> {
  const directory = await scratch()
  const path = join(directory.path, 'disk')
  await mkdir(path, { mode: 0o711 })
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=711`, 'tmpfs', path])
  expect(mounted.status, mounted.stderr.toString()).toBe(0)
  const ballast = join(path, 'ballast')
  return {
    path,
    async fill() {
      for (const size of [megabytes * 1_048_576, 4096, 4096]) {
        await expect(writeFile(ballast, Buffer.alloc(size), { flag: 'a' })).rejects.toMatchObject({ code: 'ENOSPC' })
      }
    },
    relieve: () => rm(ballast),
    async [Symbol.asyncDispose]() {
      spawnSync('umount', ['-l', path])
      await directory[Symbol.asyncDispose]()
    },
  }
}

describe.skipIf(!isRoot)(`full disks${isRoot ? '' : ' (skipped: only root may mount a small disk)'}`, () => {
  test('of an agent: degraded with a sentence about the disk, nginx serves on, converges when there is space', async () => {
    await using disk = await smallDisk(4)
    await using mesh = await startMesh({ agents: 0 })
    await using site = await addSite(mesh, 'site')
    const { id, options, dataDir } = await mesh.newAgent('full', { options: { dataDir: join(disk.path, 'agent') } })
    const change = (marker: string) => {
      const body = { custom_directives: { add_header: `X-Marker ${marker} always` } }
      return mesh.client.call(routes.updateVirtualHost, { params: { virtual_host_id: site.id }, body })
    }
    const degraded = () =>
      until('the agent to be degraded', async () => {
        const agent = await mesh.show(id)
        return agent.state === 'degraded' && agent.config.sent?.version === agent.config.desired?.version && agent
      })
    await using stack = new AsyncDisposableStack()
    const first = stack.use(await startAgent(options))
    const before = await mesh.settled(id)
    const ledger = await readFile(dataPaths(dataDir).ledger, 'utf8')
    const load = site.load()

    await disk.fill()
    await change('full')
    const shown = await degraded()
    expect(shown.state_reason).toMatch(/No space left on device/)
    expect(shown.config).toMatchObject({ applied: before.config.applied, serving: before.config.applied })
    expect(await readFile(dataPaths(dataDir).ledger, 'utf8')).toBe(ledger)
    expect((await site.get()).headers['x-marker']).toBeUndefined()

    // A restart of the agent meanwhile loses nothing and disturbs nobody.
    await first[Symbol.asyncDispose]()
    await until('the agent to be offline', async () => (await mesh.show(id)).state === 'offline')
    stack.use(await startAgent(options))
    expect((await degraded()).state_reason).toMatch(/No space left on device/)

    await disk.relieve()
    await mesh.settled(id)
    expect((await site.get()).headers['x-marker']).toBe('full')
    expect(await load.stop()).toMatchObject({ failures: [] })
  })

  test('of the master: writes are SERVICE_UNAVAILABLE, reads work, and all goes on when there is space', async () => {
    await using disk = await smallDisk(16)
    await using mesh = await startTestMaster(join(disk.path, 'master'))
    const params = { organization_id: mesh.organizationId }
    const create = (slug: string) => mesh.client.call(routes.createWorkspace, { params, body: { name: slug, slug } })
    const list = async () => (await mesh.client.call(routes.listWorkspaces, { params, query: { per_page: '100' } })).data
    await create('before')
    await disk.fill()

    const made = ['default', 'before']
    const refusal = await until('the disk to refuse a write', async () => {
      const slug = `full-${made.length}`
      try {
        await create(slug)
        made.push(slug)
        return false
      } catch (error) {
        return error as ApiError
      }
    })
    expect(refusal).toBeInstanceOf(ApiError)
    expect(refusal).toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    const upstream = { name: 'full', servers: [{ address: '127.0.0.1:9' }] }
    const inTransaction = mesh.client.call(routes.createUpstream, { params: { workspace_id: mesh.workspaceId }, body: upstream })
    await expect(inTransaction).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    expect(new Set((await list()).map((workspace) => workspace.slug))).toEqual(new Set(made))
    const ready = await fetch(`${mesh.base}/readyz`)
    expect([200, 503]).toContain(ready.status)

    await disk.relieve()
    await create('after')
    expect((await list()).map((workspace) => workspace.slug)).toContain('after')
  })
})
