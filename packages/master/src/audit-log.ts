import type { Paging } from '@nxmesh/api/route'
import type { AuditFilters } from '@nxmesh/api/routes/audit'
import type { AuditEntry } from '@nxmesh/model/audit'
import { id } from '@nxmesh/model/text'
import type { Kysely, Selectable } from 'kysely'
import { csvLine } from './csv.ts'
import type { Ctx } from './ctx.ts'
import type { Database } from './db/schema.ts'
import type { Streamed } from './http/answer.ts'
import { rangeOf } from './page.ts'

/** Whose log: that of a workspace, or that of an organization with all its workspaces. */
export type AuditScope = { workspaceId: string } | { organizationId: string }

type Filters = Omit<AuditFilters, keyof Paging | 'format'>

/** A page of the audit log, newest first, or all that matches as a file. */
export async function readAuditLog(ctx: Ctx, scope: AuditScope, query: AuditFilters) {
  const { page, per_page, format, ...filters } = query
  if (format !== 'json') return exported(ctx.db, scope, filters, format)
  const { limit, offset } = rangeOf({ page, per_page })
  const all = matching(ctx.db, scope, filters)
  const rows = await all.selectAll().orderBy('id', 'desc').limit(limit).offset(offset).execute()
  const { total } = await all.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: rows.map(shown), meta: { page, per_page, total } }
}

function matching(db: Kysely<Database>, scope: AuditScope, { from, to, actor, action, object }: Filters) {
  let rows = db.selectFrom('audit_log')
  rows =
    'workspaceId' in scope ? rows.where('workspace_id', '=', scope.workspaceId) : rows.where('organization_id', '=', scope.organizationId)
  if (from !== undefined) rows = rows.where('at', '>=', from)
  if (to !== undefined) rows = rows.where('at', '<', to)
  if (actor !== undefined) rows = rows.where(...eitherOf('actor_id', 'actor_name', actor))
  if (object !== undefined) rows = rows.where(...eitherOf('object_id', 'object_kind', object))
  if (action !== undefined) {
    rows = rows.where((eb) =>
      eb.or([eb('action', '=', action), eb.and([eb('action', '>', `${action}.`), eb('action', '<', `${action}/`)])]),
    )
  }
  return rows
}

function eitherOf<I extends string, N extends string>(idColumn: I, nameColumn: N, text: string) {
  const read = id.safeParse(text)
  return [read.success ? idColumn : nameColumn, '=', read.data ?? text] as const
}

const perRead = 500

// The log only grows at its other end, so reading it in parts gives what one read would, and holds nothing meanwhile.
async function* everyRow(db: Kysely<Database>, scope: AuditScope, filters: Filters): AsyncGenerator<AuditEntry> {
  let last: string | undefined
  for (;;) {
    let rows = matching(db, scope, filters).selectAll().orderBy('id', 'desc').limit(perRead)
    if (last !== undefined) rows = rows.where('id', '<', last)
    const found = await rows.execute()
    for (const row of found) yield shown(row)
    last = found.at(-1)?.id
    if (found.length < perRead) return
  }
}

function exported(db: Kysely<Database>, scope: AuditScope, filters: Filters, format: 'csv' | 'jsonl'): Streamed {
  const rows = everyRow(db, scope, filters)
  return format === 'csv'
    ? { type: 'text/csv; charset=utf-8; header=present', fileName: 'audit-log.csv', chunks: csvOf(rows) }
    : { type: 'application/jsonl; charset=utf-8', fileName: 'audit-log.jsonl', chunks: linesOf(rows) }
}

async function* linesOf(rows: AsyncIterable<AuditEntry>): AsyncGenerator<string> {
  for await (const row of rows) yield `${JSON.stringify(row)}\n`
}

type Cell = [column: string, of: (entry: AuditEntry) => string | null]

const cells: Cell[] = [
  ['id', (entry) => entry.id],
  ['at', (entry) => entry.at],
  ['organization_id', (entry) => entry.organization_id],
  ['workspace_id', (entry) => entry.workspace_id],
  ['actor_kind', (entry) => entry.actor.kind],
  ['actor_id', (entry) => entry.actor.id],
  ['actor_name', (entry) => entry.actor.name],
  ['actor_token_id', (entry) => entry.actor.token?.id ?? null],
  ['actor_token_name', (entry) => entry.actor.token?.name ?? null],
  ['address', (entry) => entry.address],
  ['request_id', (entry) => entry.request_id],
  ['action', (entry) => entry.action],
  ['object_kind', (entry) => entry.object.kind],
  ['object_id', (entry) => entry.object.id],
  ['object_name', (entry) => entry.object.name],
  ['reason', (entry) => entry.reason],
  ['before', (entry) => text(entry.before)],
  ['after', (entry) => text(entry.after)],
]

async function* csvOf(rows: AsyncIterable<AuditEntry>): AsyncGenerator<string> {
  yield csvLine(cells.map(([column]) => column))
  for await (const row of rows) yield csvLine(cells.map(([, of]) => of(row)))
}

function text(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value)
}

function shown(row: Selectable<Database['audit_log']>): AuditEntry {
  const {
    actor_kind,
    actor_id,
    actor_name,
    actor_token_id,
    actor_token_name,
    object_kind,
    object_id,
    object_name,
    before_doc,
    after_doc,
    ...rest
  } = row
  return {
    ...rest,
    actor: {
      kind: actor_kind,
      id: actor_id,
      name: actor_name,
      token: actor_token_id === null ? null : { id: actor_token_id, name: actor_token_name ?? '' },
    },
    object: { kind: object_kind, id: object_id, name: object_name },
    before: before_doc === null ? null : (JSON.parse(before_doc) as unknown),
    after: after_doc === null ? null : (JSON.parse(after_doc) as unknown),
  }
}
