import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { DnsProviderTestResult } from '@nxmesh/model/dns-provider'
import { audit } from '../../audit.ts'
import type { Ctx } from '../../ctx.ts'
import { transaction } from '../../db/transaction.ts'
import { type DnsProvider, openDnsProvider, type TxtRecord } from './provider.ts'
import { objectOf, readProvider } from './providers.ts'
import type { Resolver } from './resolver.ts'
import { openTarget } from './shown-provider.ts'

// In milliseconds of a steady clock: requests are not held open for longer than proxies keep them.
const patience = 45_000
const pause = 1000

/** Does for a name what an order would, with a value that proves nothing, and tells what came of it. */
export async function tryProvider(ctx: Ctx, id: string, name: string): Promise<DnsProviderTestResult> {
  const row = await readProvider(ctx.db, id)
  const result = await attempt(openDnsProvider(openTarget(ctx, row), ctx), ctx.resolver, name.toLowerCase())
  await transaction(
    ctx,
    async ({ db }) => {
      const object = objectOf(await readProvider(db, id))
      await audit(ctx, db, { workspaceId: row.workspace_id, object, after: { name, ...result } })
    },
    row.workspace_id,
  )
  return result
}

async function attempt(provider: DnsProvider, resolver: Resolver, name: string): Promise<DnsProviderTestResult> {
  const place = await resolver.challengeName(name)
  if (!place.ok) return { success: false, record_name: null, message: place.message }
  const record = { name: place.name, value: randomBytes(32).toString('base64url') }
  const presented = await provider.present(record)
  const seen = presented.ok ? await waitFor(resolver, record) : { success: false, message: presented.message }
  // Also after a failure: an answer that was lost may have been a yes.
  const cleaned = await provider.cleanup(record)
  const left = presented.ok && !cleaned.ok ? { success: false, message: `the record could not be removed: ${cleaned.message}` } : {}
  return { record_name: record.name, ...seen, ...left }
}

async function waitFor(resolver: Resolver, record: TxtRecord): Promise<{ success: boolean; message: string }> {
  const begun = performance.now()
  for (;;) {
    const answer = await resolver.sees(record)
    if (answer.ok && answer.seen) return { success: true, message: answer.detail }
    const message = answer.ok ? answer.detail : answer.message
    if (performance.now() - begun > patience) return { success: false, message: `not seen within ${patience / 1000} s: ${message}` }
    await delay(pause)
  }
}
