import { invalid } from '@nxmesh/api/errors'
import type { CertificateFinding, CertificateInput, PreflightResult } from '@nxmesh/model/certificate'
import type { Ctx } from '../ctx.ts'
import type { Subject } from './agents-ready.ts'
import { accountFor, uploaded } from './certificates.ts'
import { requireProvider } from './dns/providers.ts'
import { preflight } from './preflight.ts'
import { challengeOf, isOrdered, namesOf, requestProblems } from './request-rules.ts'

/** What would come of a request, without making it. */
export async function tryRequest(ctx: Ctx, workspaceId: string, input: CertificateInput): Promise<PreflightResult> {
  const said = { ...input, challenge: challengeOf(input) }
  const problems = requestProblems(said)
  if (problems.length > 0) throw invalid(problems)
  if (said.provider === 'uploaded') uploaded(ctx, said)
  if (!isOrdered(said.provider)) return { ready: true, findings: [] }
  await requireProvider(ctx.db, workspaceId, said.dns_provider_id)
  const account = await accountOf(ctx, workspaceId, said)
  const { dns_provider_id: dnsProviderId, profile } = said
  const names = namesOf(said)
  const { findings } = await preflight(ctx, {
    workspaceId,
    names,
    challenge: said.challenge!,
    account,
    thumbprint: null,
    dnsProviderId,
    profile,
  })
  findings.push(...(await orderFindings(ctx, workspaceId, names)))
  return { ready: findings.every(({ severity }) => severity !== 'error'), findings }
}

// An account that is made with the first certificate may not be there yet.
async function accountOf(ctx: Ctx, workspaceId: string, said: CertificateInput): Promise<Subject['account']> {
  if (said.provider !== 'letsencrypt' && said.provider !== 'letsencrypt_staging') return (await accountFor(ctx, ctx.db, workspaceId, said))!
  const found = await ctx.db
    .selectFrom('acme_accounts')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .where('built_in', '=', said.provider)
    .executeTakeFirst()
  return found ?? { built_in: said.provider, directory_url: ctx.acme.directoryOf(said.provider), ca_pem: null, url: null, eab_kid: null }
}

async function orderFindings({ db }: Ctx, workspaceId: string, names: string[]): Promise<CertificateFinding[]> {
  const [name] = names
  const other = await db
    .selectFrom('certificates as c')
    .innerJoin('certificate_orders as o', 'o.certificate_id', 'c.id')
    .select('c.id')
    .where('c.workspace_id', '=', workspaceId)
    .where('c.name', '=', name!)
    .where('o.ended_at', 'is', null)
    .executeTakeFirst()
  if (!other) return []
  const message = `Another order for ${name} is under way (certificate ${other.id}).`
  return [{ severity: 'error', code: 'order_running', name: name!, message, fix: 'Wait until it has ended.' }]
}
