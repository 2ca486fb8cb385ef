import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

const statements = [
  `create table stream_hosts (
    id text primary key,
    workspace_id text not null references workspaces (id) on delete cascade,
    name text not null, doc text not null, revision integer not null,
    created_at text not null, updated_at text not null)`,
  `create index stream_hosts_order on stream_hosts (workspace_id, created_at, id)`,
]
