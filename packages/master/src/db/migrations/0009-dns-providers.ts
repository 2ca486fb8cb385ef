import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

const statements = [
  `create table dns_providers (
    id text primary key, workspace_id text not null references workspaces (id) on delete cascade,
    name text not null, kind text not null, target text not null,
    created_at text not null, updated_at text not null, revision integer not null)`,
  `create unique index dns_providers_name on dns_providers (workspace_id, name)`,
  `create index dns_providers_creation on dns_providers (workspace_id, created_at, id)`,
]
