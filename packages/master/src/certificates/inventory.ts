import type { Paging } from '@nxmesh/api/route'
import type { InventoryEntry } from '@nxmesh/model/certificate-inventory'
import { readCertificate } from '@nxmesh/model/x509'
import { type Kysely, sql } from 'kysely'
import type { Ctx } from '../ctx.ts'
import type { Database } from '../db/schema.ts'
import type { CertificateRow, FoundCertificateRow } from '../db/schema-certificates.ts'
import { rangeOf } from '../page.ts'
import { servedOf } from './row.ts'

type Db = Kysely<Database>

/** Everything of a workspace that ends, what ends first before all else: what is managed here, and what agents have found on their hosts. */
export async function listInventory({ db }: Ctx, workspaceId: string, paging: Paging) {
  const { limit, offset } = rangeOf(paging)
  const managed = db.selectFrom('certificates').where('workspace_id', '=', workspaceId).where('expires_at', 'is not', null)
  const found = db.selectFrom('found_certificates').where('workspace_id', '=', workspaceId)
  const page = await managed
    .select([sql<'managed' | 'found'>`'managed'`.as('source'), 'id', sql<string>`expires_at`.as('ends_at')])
    .unionAll(found.select([sql<'managed' | 'found'>`'found'`.as('source'), 'id', sql<string>`ends_at`.as('ends_at')]))
    .orderBy('ends_at')
    .orderBy('id')
    .limit(limit)
    .offset(offset)
    .execute()
  const entries = await entriesOf(
    db,
    page.map(({ id }) => id),
  )
  const ofManaged = await managed.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  const ofFound = await found.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  const total = ofManaged.total + ofFound.total
  return { data: page.flatMap(({ id }) => entries.get(id) ?? []), meta: { ...paging, total } }
}

async function entriesOf(db: Db, ids: string[]): Promise<Map<string, InventoryEntry>> {
  if (ids.length === 0) return new Map()
  const managed = await db.selectFrom('certificates').selectAll().where('id', 'in', ids).execute()
  const found = await db.selectFrom('found_certificates').selectAll().where('id', 'in', ids).execute()
  return new Map([...managed.map((row) => [row.id, managedEntry(row)] as const), ...found.map((row) => [row.id, foundEntry(row)] as const)])
}

function managedEntry(row: CertificateRow): InventoryEntry {
  const { certificate_pem } = servedOf(row)
  const facts = certificate_pem === null ? undefined : readCertificate(certificate_pem)
  return {
    source: 'managed',
    certificate_id: row.id,
    agent_id: null,
    path: null,
    names: facts?.names ?? [],
    server_names: [],
    subject: facts?.subject ?? null,
    issuer: facts?.issuer ?? null,
    serial: facts?.serial ?? null,
    fingerprint: facts?.fingerprint ?? null,
    key: facts?.key ?? null,
    not_before: row.not_before,
    not_after: row.expires_at,
    error: null,
  }
}

function foundEntry(row: FoundCertificateRow): InventoryEntry {
  const { agent_id, path, subject, issuer, serial, fingerprint, key, not_before, not_after, error } = row
  const lists = { names: JSON.parse(row.names) as string[], server_names: JSON.parse(row.server_names) as string[] }
  const facts = { subject, issuer, serial, fingerprint, key, not_before, not_after, error }
  return { source: 'found', certificate_id: null, agent_id, path, ...lists, ...facts }
}
