import type { AuditEntry } from '@nxmesh/model/audit'
import type { Insertable, Kysely } from 'kysely'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { redacted } from './redact.ts'
import { uuidv7 } from './uuid.ts'

/** Something that was done or tried. Whoever asked for it is in the context; it is the master itself where nobody did. */
export interface Deed {
  /** The organization is that of the workspace where only this is given. */
  workspaceId?: string | undefined
  organizationId?: string | undefined
  /** The operation id of the request unless something else is named. */
  action?: string
  actor?: AuditEntry['actor']
  object: AuditEntry['object']
  before?: unknown
  after?: unknown
}

type Row = Insertable<Database['audit_log']>

const itself: AuditEntry['actor'] = { kind: 'system', id: null, name: 'nxmesh-master', token: null }

/** Appends to the audit log, without secrets; `db` is the transaction of the change itself. */
export async function audit(ctx: Pick<Ctx, 'now' | 'origin'>, db: Kysely<Database>, deed: Deed): Promise<void> {
  await appendAudit(db, auditRow(ctx, deed))
}

/** What the audit log keeps of a deed. */
export function auditRow(ctx: Pick<Ctx, 'now' | 'origin'>, deed: Deed): Row {
  const { origin } = ctx
  const actor = deed.actor ?? origin?.actor ?? itself
  return {
    id: uuidv7(ctx.now()),
    at: timestamp(ctx),
    organization_id: deed.organizationId ?? null,
    workspace_id: deed.workspaceId ?? null,
    actor_kind: actor.kind,
    actor_id: actor.id,
    actor_name: actor.name,
    actor_token_id: actor.token?.id ?? null,
    actor_token_name: actor.token?.name ?? null,
    address: origin?.address ?? '',
    request_id: origin?.requestId ?? '',
    action: deed.action ?? origin?.action ?? '',
    object_kind: deed.object.kind,
    object_id: deed.object.id,
    object_name: deed.object.name,
    reason: origin?.reason ?? null,
    before_doc: textOf(deed.before),
    after_doc: textOf(deed.after),
  }
}

export async function appendAudit(db: Kysely<Database>, row: Row): Promise<void> {
  const { workspace_id, organization_id } = row
  await db
    .insertInto('audit_log')
    .values((eb) => ({
      ...row,
      organization_id:
        organization_id === null && workspace_id !== null && workspace_id !== undefined
          ? eb.selectFrom('workspaces').select('organization_id').where('id', '=', workspace_id)
          : (organization_id ?? null),
    }))
    .execute()
}

function textOf(value: unknown): string | null {
  return value === undefined || value === null ? null : JSON.stringify(redacted(value))
}
