import { type Kysely, sql } from 'kysely'
import { uuidv7 } from '../../uuid.ts'

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
  // What workspaces that were there before get; new ones have it from the start.
  const condition = JSON.stringify({ kind: 'state', state: 'certificate_expiring' })
  const at = new Date().toISOString()
  const { rows } = await sql<{ id: string }>`select id from workspaces
    where not exists (select 1 from alert_rules r where r.workspace_id = workspaces.id and r.name = 'Certificate expiring')`.execute(db)
  for (const { id } of rows) {
    await sql`insert into alert_rules (id, workspace_id, name, enabled, severity, condition, for_seconds, label_selector, revision, created_at, updated_at)
      values (${uuidv7(Date.now())}, ${id}, 'Certificate expiring', 1, 'error', ${condition}, 0, '', 1, ${at}, ${at})`.execute(db)
  }
}

const statements = [
  `create table acme_accounts (
    id text primary key, workspace_id text not null references workspaces (id) on delete cascade,
    name text not null, directory_url text not null, ca_pem text, email text, eab_kid text, sealed_eab_key text,
    built_in text, sealed_key text not null, thumbprint text not null, sealed_next_key text, url text,
    created_at text not null, updated_at text not null, revision integer not null)`,
  `create unique index acme_accounts_name on acme_accounts (workspace_id, name)`,
  `create unique index acme_accounts_built_in on acme_accounts (workspace_id, built_in)`,
  `create index acme_accounts_creation on acme_accounts (workspace_id, created_at, id)`,
  `create table certificates (
    id text primary key, workspace_id text not null references workspaces (id) on delete cascade,
    name text not null, doc text not null, provider text not null, auto_renew integer not null, key_type text not null,
    challenge text, dns_provider_id text, acme_account_id text references acme_accounts (id), profile text,
    issued_at text, not_before text, expires_at text, revoked_at text, error text, failures integer not null,
    order_due_at text, renewal_info_due_at text, warn_at text,
    created_at text not null, updated_at text not null, revision integer not null)`,
  `create index certificates_creation on certificates (workspace_id, created_at, id)`,
  `create index certificates_expiry on certificates (workspace_id, expires_at, id)`,
  `create index certificates_account on certificates (acme_account_id)`,
  `create index certificates_dns_provider on certificates (dns_provider_id)`,
  `create index certificates_order_due on certificates (order_due_at) where order_due_at is not null`,
  `create index certificates_renewal_info_due on certificates (renewal_info_due_at) where renewal_info_due_at is not null`,
  `create index certificates_warn on certificates (warn_at) where warn_at is not null`,
  `create table certificate_orders (
    id text primary key, certificate_id text not null references certificates (id) on delete cascade,
    workspace_id text not null, acme_account_id text, step text not null, url text, sealed_key text not null,
    authorizations text not null, skip_preflight integer not null, begun_at text,
    attempt integer not null, next_at text, leased_by text, leased_until text,
    outcome text, error text, created_at text not null, ended_at text)`,
  // A certificate has one order at a time.
  `create unique index certificate_orders_open on certificate_orders (certificate_id) where ended_at is null`,
  `create index certificate_orders_certificate on certificate_orders (certificate_id, created_at, id)`,
  `create index certificate_orders_due on certificate_orders (next_at) where ended_at is null`,
  `create index certificate_orders_account on certificate_orders (acme_account_id) where ended_at is null`,
  `create index certificate_orders_age on certificate_orders (ended_at) where ended_at is not null`,
  `create table certificate_authorities (
    workspace_id text primary key references workspaces (id) on delete cascade,
    certificate_pem text not null, sealed_key text not null, created_at text not null)`,
]
