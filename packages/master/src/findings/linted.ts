import { setImmediate } from 'node:timers/promises'
import type { WorkspaceConfig } from '@nxmesh/model/agent-config'
import type { Settings } from '@nxmesh/model/settings'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import { lintSettings, lintVirtualHost, lintWorkspace } from '@nxmesh/nginx/lint'
import type { LintFinding } from '@nxmesh/nginx/lint/finding'
import { settingsScope } from '@nxmesh/nginx/lint/scope'
import type { LintAgent, LintCertificate } from '@nxmesh/nginx/lint/subject'
import type { Kysely } from 'kysely'
import type { Ctx } from '../ctx.ts'
import type { Database } from '../db/schema.ts'

/** What the rules found in each virtual host, as long as neither it nor the settings are others. */
export type LintMemory = WeakMap<VirtualHost, { settings: Settings; found: LintFinding[] }>

// About ten milliseconds of work, after which other requests have their turn.
const atOnce = 100

/** What the rules find in a workspace. Of many virtual hosts only those that changed are looked at again. */
export async function lintedWorkspace(
  ctx: Pick<Ctx, 'db' | 'now' | 'linted'>,
  workspaceId: string,
  config: WorkspaceConfig,
  agents: readonly LintAgent[],
): Promise<LintFinding[]> {
  const { virtual_hosts, stream_hosts, settings, upstreams } = config
  const outer = settingsScope(workspaceId, settings)
  const found: LintFinding[][] = [lintSettings(outer)]
  const byId = new Map(upstreams.map((upstream) => [upstream.id, upstream]))
  let looked = 0
  for (const host of virtual_hosts) {
    let known = ctx.linted.get(host)
    if (known?.settings !== settings) {
      known = { settings, found: lintVirtualHost(host, byId, outer) }
      ctx.linted.set(host, known)
      if (++looked % atOnce === 0) await setImmediate()
    }
    found.push(known.found)
  }
  const certificates = await readCertificates(ctx.db, workspaceId)
  const subject = { workspace_id: workspaceId, virtual_hosts, stream_hosts, upstreams, certificates, settings, agents, now: ctx.now() }
  found.push(lintWorkspace(subject))
  return found.flat()
}

async function readCertificates(db: Kysely<Database>, workspaceId: string): Promise<LintCertificate[]> {
  const rows = await db
    .selectFrom('certificates')
    .select(['id', 'name', 'provider', 'auto_renew', 'expires_at'])
    .where('workspace_id', '=', workspaceId)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
  return rows.map((row) => ({ ...row, provider: row.provider as LintCertificate['provider'], auto_renew: row.auto_renew === 1 }))
}
