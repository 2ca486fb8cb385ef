import { join } from 'node:path'
import type { Client } from '@nxmesh/api/client'
import { ApiError } from '@nxmesh/api/errors'
import { routes } from '@nxmesh/api/routes'
import { connect } from '@nxmesh/master/db/open'
import type { Database } from '@nxmesh/master/db/schema'
import { signIn } from '@nxmesh/testkit/master'
import { freePort } from '@nxmesh/testkit/ports'
import { startMasterProgram } from '@nxmesh/testkit/programs'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { until } from '@nxmesh/testkit/until'
import type { Kysely } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

// NXMESH_KILLS=50 npm test -- kill-under-writes
const kills = Number(process.env['NXMESH_KILLS'] ?? 4)
const writers = 4

/** What one writer knows of the virtual host that only it writes: names by revision, and what it last asked for. */
interface Tale {
  id: string | undefined
  acknowledged: string | undefined
  asked: string | undefined
}

describe.each(stores)('on $name', (store) => {
  const stack = new AsyncDisposableStack()
  let directory: string
  let settings: string[]
  let location: string

  beforeAll(async () => {
    directory = stack.use(await scratch()).path
    const opened = stack.use(await store.open())
    settings = await opened.settings()
    location = settings[1] ?? join(directory, 'nxmesh.db')
  })

  afterAll(() => stack.disposeAsync())

  test(
    `killed ${kills} times under write load: what was acknowledged is there, and nothing is half there`,
    async () => {
      const tales: Tale[] = []
      let acknowledged = 0
      for (let kill = 0; kill < kills; kill++) {
        const ports = { http: await freePort(), agents: await freePort() }
        await using master = await startMasterProgram(directory, ports, settings)
        const client = await signIn(`http://127.0.0.1:${ports.http}`)
        const workspaceIds = await workspacesOf(client)
        const round = Array.from({ length: writers }, (_, index) => newTale(tales, workspaceIds[index % workspaceIds.length]!))
        const before = acknowledged
        const count = () => acknowledged++
        const writing = Promise.all(
          round.map(({ tale, workspaceId }, index) => write(client, workspaceId, tale, `k${kill}-w${index}`, count)),
        )
        // In the midst of any of many writes, and at any instruction of it.
        const enough = before + 1 + Math.floor(Math.random() * 60)
        await until('some writes to be acknowledged', () => acknowledged > enough)
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
        await master.end('SIGKILL')
        await writing
        const db = await connect(location, { log: pino({ level: 'silent' }) })
        try {
          await expectWhole(db)
          await expectAcknowledged(db, tales)
        } finally {
          await db.destroy()
        }
      }
      expect(acknowledged).toBeGreaterThan(kills)
    },
    30_000 + kills * 10_000,
  )
})

function newTale(tales: Tale[], workspaceId: string) {
  const tale: Tale = { id: undefined, acknowledged: undefined, asked: undefined }
  tales.push(tale)
  return { tale, workspaceId }
}

// Two workspaces, so that writers meet and do not meet.
async function workspacesOf(client: Client): Promise<string[]> {
  const params = { organization_id: (await client.call(routes.listOrganizations, {})).data[0]!.id }
  const listed = (await client.call(routes.listWorkspaces, { params })).data.map((workspace) => workspace.id)
  if (listed.length > 1) return listed
  return [...listed, (await client.call(routes.createWorkspace, { params, body: { name: 'Second', slug: 'second' } })).id]
}

/** Creates a virtual host and changes it again and again until the master is gone; `count` hears of each time it was told yes. */
async function write(client: Client, workspaceId: string, tale: Tale, prefix: string, count: () => void): Promise<void> {
  try {
    for (let turn = 0; ; turn++) {
      tale.asked = `${prefix}-${turn}`
      const name = tale.asked
      if (tale.id === undefined) {
        const body = { name, server_name: `${prefix}.test`, listen_port: 80 }
        tale.id = (await client.call(routes.createVirtualHost, { params: { workspace_id: workspaceId }, body })).id
      } else {
        await client.call(routes.updateVirtualHost, { params: { virtual_host_id: tale.id }, body: { name } })
      }
      tale.acknowledged = name
      count()
    }
  } catch (error) {
    if (error instanceof ApiError) throw error
  }
}

/** Row, revision, history and version tell the same story. */
async function expectWhole(db: Kysely<Database>): Promise<void> {
  for (const { id, version } of await db.selectFrom('workspaces').select(['id', 'version']).execute()) {
    const revisions = await db.selectFrom('revisions').select('version').where('workspace_id', '=', id).orderBy('version').execute()
    expect(revisions.map((row) => row.version)).toEqual(Array.from({ length: version }, (_, index) => index + 1))
    const history = await db.selectFrom('history').selectAll().where('workspace_id', '=', id).orderBy('version').execute()
    expect(history.map((row) => row.version)).toEqual(revisions.map((row) => row.version))
    const rows = await db.selectFrom('virtual_hosts').select(['id', 'doc', 'revision']).where('workspace_id', '=', id).execute()
    for (const row of rows) {
      const own = history.filter((entry) => entry.id === row.id)
      expect(own.at(-1)?.doc).toBe(row.doc)
      expect(own).toHaveLength(row.revision)
    }
    expect(new Set(history.map((entry) => entry.id))).toEqual(new Set(rows.map((row) => row.id)))
  }
}

async function expectAcknowledged(db: Kysely<Database>, tales: Tale[]): Promise<void> {
  for (const { id, acknowledged, asked } of tales) {
    if (id === undefined) continue
    const row = await db.selectFrom('virtual_hosts').select('name').where('id', '=', id).executeTakeFirst()
    // The write that was cut off may have gone through or not.
    expect([acknowledged, asked]).toContain(row?.name)
  }
}
