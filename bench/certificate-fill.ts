import { builtInAccount } from '@nxmesh/master/certificates/account-row'
import { thumbprintOf } from '@nxmesh/master/certificates/acme/account-key'
import type { AcmeAccount } from '@nxmesh/master/certificates/acme/client'
import { readMaterial } from '@nxmesh/master/certificates/material'
import { configChange, insertRow, newRow, withMaterial } from '@nxmesh/master/certificates/row'
import { changeConfig } from '@nxmesh/master/change'
import { created } from '@nxmesh/master/config-change'
import { timestamp } from '@nxmesh/master/ctx'
import { insertDocument } from '@nxmesh/master/documents'
import { uuidv7 } from '@nxmesh/master/uuid'
import { certificateInput } from '@nxmesh/model/certificate'
import { virtualHostInput } from '@nxmesh/model/virtual-host'
import { administrator, startTestMaster } from '@nxmesh/testkit/master'
import type { Ordered } from './certificate-order.ts'

export interface Filling {
  data: string
  settings: string[]
  now: () => number
  account: AcmeAccount
  ordered: Ordered[]
}

/** Gives a master certificates as if it had ordered them by this account, each with a virtual host. */
export async function fill({ data, settings, now, account, ordered }: Filling): Promise<void> {
  await using started = await startTestMaster(data, settings, { now })
  const { ctx } = started.master
  const { workspaceId } = started
  const thumbprint = thumbprintOf(account.keyPem)
  await changeConfig(ctx, administrator, workspaceId, async ({ db }) => {
    const { id } = await builtInAccount(ctx, db, workspaceId, 'letsencrypt')
    const known = { sealed_key: ctx.secrets.seal(account.keyPem), thumbprint, url: account.url }
    await db.updateTable('acme_accounts').set(known).where('id', '=', id).execute()
    const rows = ordered.map(({ domain, certificate_pem, private_key_pem }) => {
      const input = certificateInput.parse({ domain, provider: 'letsencrypt', challenge: 'http-01', acme_account_id: id })
      const read = readMaterial(certificate_pem, private_key_pem, now())
      if (!read.ok) throw new Error(JSON.stringify(read.problems))
      const row = withMaterial(ctx, newRow(ctx, workspaceId, input, [domain], thumbprint), read.material)
      // The CA was asked lately: when it is next does not fall together with the renewals.
      return { ...row, renewal_info_due_at: row.expires_at }
    })
    const hosts = rows.map((row) => {
      const common = { id: uuidv7(now()), workspace_id: workspaceId, created_at: timestamp(ctx), updated_at: timestamp(ctx) }
      const tls = { listen_port: 443, ssl_enabled: true, ssl_certificate_id: row.id }
      return { ...common, ...virtualHostInput.parse({ name: row.name, server_name: row.name, ...tls }) }
    })
    for (const row of rows) await insertRow(db, row)
    for (const host of hosts) await insertDocument(db, 'virtual_hosts', host)
    const changes = [...rows.map((row) => configChange(null, row)), ...hosts.flatMap((host) => created('virtual_host', host).changes)]
    return { result: undefined, changes, summary: `created ${rows.length} certificates` }
  })
}
