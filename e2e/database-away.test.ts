import { join } from 'node:path'
import { ApiError } from '@nxmesh/api/errors'
import { routes } from '@nxmesh/api/routes'
import { startTestMaster } from '@nxmesh/testkit/master'
import { type Mesh, startMesh } from '@nxmesh/testkit/mesh'
import { freePort } from '@nxmesh/testkit/ports'
import { type Postgres, startPostgres } from '@nxmesh/testkit/postgres'
import { startMasterProgram } from '@nxmesh/testkit/programs'
import { scratch } from '@nxmesh/testkit/scratch'
import { addSite, type Site } from '@nxmesh/testkit/site'
import { unindexed } from '@nxmesh/testkit/unindexed'
import { until } from '@nxmesh/testkit/until'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const stack = new AsyncDisposableStack()
let postgres: Postgres

beforeAll(async () => {
  postgres = stack.use(await startPostgres())
})

afterAll(() => stack.disposeAsync())

describe('a database that goes away under a master with an agent', () => {
  let mesh: Mesh
  let site: Site
  let agentId: string

  beforeAll(async () => {
    mesh = stack.use(await startMesh({ settings: ['--database', await postgres.createDatabase()] }))
    site = stack.use(await addSite(mesh, 'steady'))
    agentId = mesh.agents[0]!.id
    await mesh.settled(agentId)
  })

  const mark = async (value: string) => {
    const body = { custom_directives: { add_header: `X-Marker ${value} always` } }
    await mesh.client.call(routes.updateVirtualHost, { params: { virtual_host_id: site.id }, body })
  }
  const codeOf = (call: Promise<unknown>) =>
    call.then(
      () => 'none',
      (error: unknown) => (error instanceof ApiError ? error.code : String(error)),
    )
  const probe = async (path: string) => (await fetch(`${mesh.base}${path}`)).status
  const back = () => until('the master to be ready', async () => (await probe('/readyz')) === 200)

  test('requests are answered 503, the agent stays, and all goes on by itself once it is back', async () => {
    const session = mesh.master.ctx.sessions.get(agentId)
    await mark('before')
    await mesh.settled(agentId)
    const writing = startWriting(mark)
    await until('a few writes', () => writing.acknowledged() !== undefined)
    await postgres.stop()
    expect(await codeOf(mesh.show(agentId))).toBe('SERVICE_UNAVAILABLE')
    expect(await codeOf(mark('lost'))).toBe('SERVICE_UNAVAILABLE')
    expect([await probe('/readyz'), await probe('/healthz')]).toEqual([503, 200])
    expect((await site.get()).body).toBe('steady')
    const { acknowledged, refused } = await writing.stop()
    expect(new Set(refused)).toEqual(new Set(['SERVICE_UNAVAILABLE']))
    // What the agent reports meanwhile is acknowledged to it, so it must be written later.
    mesh.master.ctx.agentWrites.change(agentId, { hostname: 'told-while-away' })

    await postgres.start()
    await back()
    const host = await mesh.client.call(routes.getVirtualHost, { params: { virtual_host_id: site.id } })
    expect([acknowledged.at(-1), writing.cutOff()]).toContain(host.custom_directives['add_header']!.split(' ')[1])
    await until('the fact to be written', async () => (await mesh.show(agentId)).hostname === 'told-while-away')
    await mark('after')
    await mesh.settled(agentId)
    expect((await site.get()).headers['x-marker']).toBe('after')
    expect(mesh.master.ctx.sessions.get(agentId)).toBe(session)
  })

  test('one that hangs is as good as away', async () => {
    const session = mesh.master.ctx.sessions.get(agentId)
    postgres.freeze()
    try {
      const started = performance.now()
      expect(await codeOf(mark('hung'))).toBe('SERVICE_UNAVAILABLE')
      expect(performance.now() - started).toBeLessThan(16_000)
    } finally {
      postgres.thaw()
    }
    await back()
    await mark('thawed')
    await mesh.settled(agentId)
    expect((await site.get()).headers['x-marker']).toBe('thawed')
    expect(mesh.master.ctx.sessions.get(agentId)).toBe(session)
  })

  test('no query of a master with an agent reads a whole table', async () => {
    expect(await unindexed(mesh.master.ctx.db, mesh.queries)).toEqual([])
  })
})

describe('a database that is away when a master starts', () => {
  test('is waited for, with a line in the log', async () => {
    const address = await postgres.createDatabase()
    await postgres.stop()
    await using directory = await scratch()
    const logged: string[] = []
    const log = pino({ level: 'info' }, { write: (line: string) => void logged.push(line) })
    const starting = startTestMaster(directory.path, ['--database', address], { log })
    await until('the line', () => logged.some((line) => /does not answer; waiting for it/.test(line)))
    await postgres.start()
    await using master = await starting
    expect((await fetch(`${master.base}/readyz`)).status).toBe(200)
  })

  test('does not keep a master from being stopped', async () => {
    await using directory = await scratch()
    const stop = new AbortController()
    const address = `postgres:///x?user=x&host=${encodeURIComponent(join(directory.path, 'nowhere'))}`
    const starting = startTestMaster(directory.path, ['--database', address], { signal: stop.signal })
    stop.abort()
    await expect(starting).rejects.toThrow(/abort/i)
  })

  test('one that refuses us ends the start with its reason, and without the password', async () => {
    await using directory = await scratch()
    const url = new URL(await postgres.createDatabase())
    url.pathname = '/no_such_database'
    url.searchParams.set('password', 'hunter2')
    const starting = startMasterProgram(directory.path, { http: await freePort(), agents: await freePort() }, ['--database', url.href])
    const error = (await starting.catch((thrown: unknown) => thrown)) as Error
    expect(error.message).toContain('the database postgres:///no_such_database cannot be used: database "no_such_database" does not exist')
    expect(error.message).not.toContain('hunter2')
  })
})

/** Writes one value after the other until it is stopped. */
function startWriting(write: (value: string) => Promise<void>) {
  let going = true
  let cutOff: string | undefined
  const acknowledged: string[] = []
  const refused: string[] = []
  const ended = (async () => {
    for (let edit = 1; going; edit++) {
      try {
        await write(`edit-${edit}`)
        acknowledged.push(`edit-${edit}`)
      } catch (error) {
        // The first that failed may have been committed with its answer lost.
        cutOff ??= `edit-${edit}`
        refused.push(error instanceof ApiError ? error.code : String(error))
      }
    }
  })()
  return {
    acknowledged: () => acknowledged.at(-1),
    cutOff: () => cutOff,
    async stop() {
      going = false
      await ended
      return { acknowledged, refused }
    },
  }
}
