import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

const statements = [
  `create table masters (id text primary key, seen_at text not null)`,
  `alter table agents add column master_id text`,
  `create index agents_master on agents (master_id)`,
  `create index agents_connected on agents (connected)`,
]
