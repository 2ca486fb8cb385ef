import { ApiError } from '@nxmesh/api/errors'
import type { Paging } from '@nxmesh/api/route'
import type { Kysely } from 'kysely'
import { type Ctx, timestamp } from './ctx.ts'
import { prepared } from './db/prepared.ts'
import type { Database, DocumentRow } from './db/schema.ts'
import { requireMatch, type Tagged } from './etag.ts'
import { rangeOf } from './page.ts'

export type DocumentTable = 'virtual_hosts' | 'stream_hosts' | 'upstreams'

const nouns: Record<DocumentTable, string> = { virtual_hosts: 'virtual host', stream_hosts: 'stream host', upstreams: 'upstream' }

/** How many resources of a kind each workspace held at a version of it: to count them costs more than to read a page. */
export type DocumentTotals = Map<string, { version: number; total: number }>

const mostTotals = 10_000

const readOne = each((table) => prepared((db, id: string) => db.selectFrom(table).selectAll().where('id', '=', id)))

const readPage = each((table) =>
  prepared((db, workspaceId: string, limit: number, offset: number) =>
    db
      .selectFrom(table)
      .select(['doc', (eb) => eb.selectFrom('workspaces').select('version').where('id', '=', workspaceId).as('version')])
      .where('workspace_id', '=', workspaceId)
      .orderBy('created_at')
      .orderBy('id')
      .limit(limit)
      .offset(offset),
  ),
)

const countAll = each((table) =>
  prepared((db, workspaceId: string) =>
    db
      .selectFrom(table)
      .where('workspace_id', '=', workspaceId)
      .select((eb) => [
        eb.fn.countAll<number>().as('total'),
        eb.selectFrom('workspaces').select('version').where('id', '=', workspaceId).as('version'),
      ]),
  ),
)

function each<T>(make: (table: DocumentTable) => T): Record<DocumentTable, T> {
  return { virtual_hosts: make('virtual_hosts'), stream_hosts: make('stream_hosts'), upstreams: make('upstreams') }
}

/** A page of the resources of a workspace, in order of creation. */
export async function listDocuments<T>(ctx: Ctx, table: DocumentTable, workspaceId: string, paging: Paging) {
  const { limit, offset } = rangeOf(paging)
  const rows = await readPage[table](ctx.db, workspaceId, limit, offset)
  const total = await totalOf(ctx, table, workspaceId, rows[0]?.version)
  return { data: rows.map((row) => JSON.parse(row.doc) as T), meta: { ...paging, total } }
}

async function totalOf(ctx: Ctx, table: DocumentTable, workspaceId: string, version: number | null | undefined): Promise<number> {
  const key = `${table} ${workspaceId}`
  const known = ctx.documentTotals.get(key)
  if (known && known.version === version) return known.total
  const [counted] = await countAll[table](ctx.db, workspaceId)
  if (!counted || counted.version === null) return 0
  if (ctx.documentTotals.size >= mostTotals) ctx.documentTotals.clear()
  ctx.documentTotals.set(key, { version: counted.version, total: counted.total })
  return counted.total
}

/** One resource with its revision; throws NOT_FOUND. */
export async function getDocument<T>(db: Kysely<Database>, table: DocumentTable, id: string): Promise<Tagged<T>> {
  const row = await readDocument(db, table, id)
  return { body: JSON.parse(row.doc) as T, revision: row.revision }
}

/** The row of a resource that is about to change; throws NOT_FOUND, or PRECONDITION_FAILED when If-Match names another revision. */
export async function readDocument(db: Kysely<Database>, table: DocumentTable, id: string, ifMatch?: string): Promise<DocumentRow> {
  const [row] = await readOne[table](db, id)
  if (!row) throw new ApiError('NOT_FOUND', `${nouns[table]} not found`)
  requireMatch(ifMatch, row.revision)
  return row
}

/** Inserts a resource; one that was there before goes on counting, so that no tag comes to name another content. */
export async function insertDocument<T extends Stored>(
  db: Kysely<Database>,
  table: DocumentTable,
  body: T,
  revision = 1,
): Promise<Tagged<T>> {
  const { id, workspace_id, name, created_at, updated_at } = body
  await db
    .insertInto(table)
    .values({ id, workspace_id, name, doc: JSON.stringify(body), revision, created_at, updated_at })
    .execute()
  return { body, revision }
}

export async function replaceDocument<T extends Stored>(
  db: Kysely<Database>,
  table: DocumentTable,
  body: T,
  before: Pick<DocumentRow, 'revision'>,
): Promise<Tagged<T>> {
  const revision = before.revision + 1
  const { name, updated_at } = body
  await db
    .updateTable(table)
    .set({ name, doc: JSON.stringify(body), revision, updated_at })
    .where('id', '=', body.id)
    .execute()
  return { body, revision }
}

/** What a stored resource looks like with a new content: who it is stays, when it changed does not. */
export function withContent<B extends Stored, I>(ctx: Pick<Ctx, 'now'>, before: B, input: I) {
  return { id: before.id, workspace_id: before.workspace_id, ...input, created_at: before.created_at, updated_at: timestamp(ctx) }
}

interface Stored {
  id: string
  workspace_id: string
  name: string
  created_at: string
  updated_at: string
}
