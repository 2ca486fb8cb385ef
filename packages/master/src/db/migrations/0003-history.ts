import { type Kysely, sql } from 'kysely'
import { engineOf } from '../portable.ts'

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of [...statements, ...appendOnly[engineOf(db)]]) await sql.raw(statement).execute(db)
  await nameHistory(db as Kysely<Tables>)
}

const statements = [
  ...['organizations', 'workspaces', 'agents'].map((table) => `alter table ${table} add column revision integer not null default 1`),
  `alter table workspaces add column settings_revision integer not null default 1`,
  `alter table agents add column nginx text`,
  `alter table agents add column sent_labels text`,
  `alter table agents add column applied_labels text`,
  `alter table history add column name text not null default ''`,
  `alter table history add column action text not null default 'changed'`,
  `create index history_object on history (workspace_id, kind, id, version)`,
  `create table applies (
    id text primary key,
    agent_id text not null references agents (id) on delete cascade,
    report text not null,
    version integer not null, digest text not null, status text not null, error text, findings text not null,
    duration_ms integer not null, applied_at text, reported_at text not null,
    unique (agent_id, report))`,
  `create index applies_order on applies (agent_id, id)`,
  // Without references: what happened to something stays on record when the thing is gone.
  `create table audit_log (
    id text primary key, at text not null,
    organization_id text, workspace_id text,
    actor_kind text not null, actor_id text, actor_name text not null, actor_token_id text, actor_token_name text, address text not null, request_id text not null,
    action text not null, object_kind text not null, object_id text, object_name text not null, reason text,
    before_doc text, after_doc text)`,
  `create index audit_log_workspace on audit_log (workspace_id, id)`,
  `create index audit_log_organization on audit_log (organization_id, id)`,
  `create table idempotency_keys (
    caller text not null, key text not null, fingerprint text not null, master_id text not null, created_at text not null,
    status integer, answer text,
    primary key (caller, key))`,
  `create index idempotency_keys_age on idempotency_keys (created_at)`,
]

const refused = 'the audit log is only ever appended to'

const appendOnly = {
  sqlite: ['update', 'delete'].map(
    (verb) => `create trigger audit_log_no_${verb} before ${verb} on audit_log begin select raise(abort, '${refused}'); end`,
  ),
  postgres: [
    `create function audit_log_append_only() returns trigger language plpgsql as $$ begin raise exception '${refused}'; end $$`,
    `create trigger audit_log_append_only before update or delete on audit_log for each row execute function audit_log_append_only()`,
  ],
}

interface Tables {
  history: { workspace_id: string; version: number; kind: string; id: string; doc: string | null; name: string; action: string }
}

// Earlier releases kept only the contents; who an object was and what became of it is read off them once.
async function nameHistory(db: Kysely<Tables>): Promise<void> {
  const names = new Map<string, string | undefined>()
  const page = 500
  for (let offset = 0; ; offset += page) {
    const rows = await db
      .selectFrom('history')
      .select(['workspace_id', 'version', 'kind', 'id', 'doc'])
      .orderBy('workspace_id')
      .orderBy('version')
      .orderBy('kind')
      .orderBy('id')
      .limit(page)
      .offset(offset)
      .execute()
    for (const { doc, ...key } of rows) {
      const object = `${key.workspace_id} ${key.kind} ${key.id}`
      const before = names.get(object)
      const name =
        doc === null ? (before ?? '') : key.kind === 'settings' ? 'settings' : String((JSON.parse(doc) as { name?: string }).name ?? '')
      const action = doc === null ? 'deleted' : before === undefined && key.kind !== 'settings' ? 'created' : 'changed'
      names.set(object, doc === null ? undefined : name)
      await db
        .updateTable('history')
        .set({ name, action })
        .where((eb) => eb.and(key))
        .execute()
    }
    if (rows.length < page) return
  }
}
