import { dnsTxtOf } from './acme/account-key.ts'
import type { AcmeAuthorization } from './acme/client.ts'
import type { DnsProvider, TxtRecord } from './dns/provider.ts'
import { openProviderOf } from './dns/providers.ts'
import { afterProblem, type Next, reasonOf, shownByCa, type Work } from './order-step.ts'
import type { OrderAuthorization } from './shown.ts'

const shortest = 1000
const between = 2000
// Secondary servers of a zone may take their time.
const longestForRecords = 15 * 60_000
const longestForValidation = 30 * 60_000

/** Prepares the answer to every challenge of an order, sees that it can be found, and tells the CA to look. */
export async function answerChallenges(work: Work): Promise<Next> {
  const { ctx, client, credentials } = work
  const found = await shownByCa(work)
  if (!found.ok) return afterProblem(work, found.problem)
  if (found.value.status !== 'pending') return { kind: 'go', step: 'finalization', seen: found.value }
  const authorizations: OrderAuthorization[] = []
  for (const url of found.value.authorizations) {
    const read = await client.authorization(credentials, url)
    if (!read.ok) return afterProblem(work, read.problem)
    authorizations.push(merged(work, read.value))
  }
  if (!(await work.keep(authorizations))) return { kind: 'done' }
  const pending = authorizations.filter(({ status }) => status === 'pending')
  const odd = pending.find(({ challenge }) => challenge === null)
  if (odd) return { kind: 'fail', reason: notOffered(odd, work) }
  if (work.certificate.challenge === 'dns-01') {
    const held = await publish(work, authorizations, pending)
    if (held) return held
  }
  for (const authorization of pending) {
    if (authorization.answered) continue
    const told = await client.respond(credentials, authorization.challenge!.url)
    if (!told.ok) return afterProblem(work, told.problem)
    authorization.answered = true
    if (!(await work.keep(authorizations))) return { kind: 'done' }
  }
  ctx.log.debug({ certificate: work.certificate.id }, 'challenges answered')
  return { kind: 'go', step: 'validation', changes: { authorizations: JSON.stringify(authorizations) } }
}

/** Waits until the CA has looked at every name. */
export async function awaitValidation(work: Work): Promise<Next> {
  const { ctx, order, client, credentials } = work
  const authorizations: OrderAuthorization[] = []
  let retryAt = 0
  let failed: Next | undefined
  for (const known of work.authorizations) {
    const read = await client.authorization(credentials, known.url)
    if (!read.ok) return afterProblem(work, read.problem)
    const { status, challenges } = read.value
    authorizations.push({ ...known, status })
    retryAt = Math.max(retryAt, read.value.retryAt ?? 0)
    if (status === 'pending' || status === 'valid') continue
    const problem = challenges.find((challenge) => challenge.problem)?.problem
    const ended = { code: status, message: `The CA’s authorization for ${known.name} is ${status}.`, fix: 'It is tried again by itself.' }
    failed ??= { kind: 'fail', reason: problem ? reasonOf(problem) : ended, retryAt: problem?.retryAt ?? null }
  }
  const isProved = authorizations.every(({ status }) => status === 'valid')
  if ((failed || isProved) && !(await work.keep(authorizations))) return { kind: 'done' }
  if (failed) return failed
  if (isProved) {
    await removeRecords({ ...work, authorizations })
    return { kind: 'go', step: 'finalization' }
  }
  if (isOverdue(work, longestForValidation)) {
    const message = 'The CA did not look at the challenges within half an hour.'
    return { kind: 'fail', reason: { code: 'timeout', message, fix: 'It is tried again by itself.' } }
  }
  const asked = retryAt - ctx.now()
  const ms = Math.min(Math.max(shortest, asked), order.attempt > 5 ? 60_000 : 20_000)
  return { kind: 'wait', ms, changes: { authorizations: JSON.stringify(authorizations) } }
}

/** Takes the DNS records of an order away again; what cannot be reached is left with a word in the log. */
export async function removeRecords({
  ctx,
  certificate,
  authorizations,
}: Pick<Work, 'ctx' | 'certificate' | 'authorizations'>): Promise<void> {
  const records = authorizations.flatMap(({ record }) => record ?? [])
  if (records.length === 0 || certificate.dns_provider_id === null) return
  const provider = await openProviderOf(ctx, certificate.dns_provider_id)
  for (const record of records) {
    const removed = await provider?.cleanup(record)
    if (removed && !removed.ok)
      ctx.log.warn({ certificate: certificate.id, record: record.name, reason: removed.message }, 'a DNS record was left')
  }
}

// What was done for an authorization before is known from the order, its state from the CA.
function merged({ certificate, authorizations }: Work, { url, name, wildcard, status, challenges }: AcmeAuthorization): OrderAuthorization {
  const before = authorizations.find((known) => known.url === url)
  const chosen = challenges.find(({ type }) => type === certificate.challenge)
  const challenge = chosen ? { type: chosen.type, url: chosen.url, token: chosen.token } : null
  return { url, name, wildcard, status, challenge, record: before?.record ?? null, answered: before?.answered ?? false }
}

async function publish(work: Work, authorizations: OrderAuthorization[], pending: OrderAuthorization[]): Promise<Next | undefined> {
  const { ctx, account, certificate } = work
  const provider = await openProviderOf(ctx, certificate.dns_provider_id!)
  if (!provider) {
    const message = 'The DNS provider of the certificate is gone.'
    return { kind: 'fail', reason: { code: 'no_dns_provider', message, fix: 'Give the certificate another dns_provider_id.' } }
  }
  const key = ctx.secrets.open(account.sealed_key)
  for (const authorization of pending) {
    if (authorization.record) continue
    const value = dnsTxtOf(authorization.challenge!.token, key)
    const held = await present(work, provider, authorization, value, () => work.keep(authorizations))
    if (held) return held
  }
  for (const { record, answered } of pending) {
    if (!record || answered) continue
    const held = await look(work, record)
    if (held) return held
  }
  return undefined
}

async function present(
  { ctx }: Work,
  provider: DnsProvider,
  authorization: OrderAuthorization,
  value: string,
  keep: () => Promise<boolean>,
): Promise<Next | undefined> {
  const place = await ctx.resolver.challengeName(authorization.name)
  if (!place.ok)
    return { kind: 'fail', reason: { code: 'dns', message: place.message, fix: 'Mend the CNAME records of the challenge’s name.' } }
  authorization.record = { name: place.name, value }
  // Kept first, so that whoever takes over knows what to remove.
  if (!(await keep())) return { kind: 'done' }
  const done = await provider.present(authorization.record)
  if (done.ok) return undefined
  authorization.record = null
  await keep()
  const reason = { code: 'dns_provider', message: done.message, fix: 'Look at the settings of the DNS provider; POST …/test tries them.' }
  return done.retry ? { kind: 'wait', ms: 30_000, reason } : { kind: 'fail', reason }
}

async function look(work: Work, record: TxtRecord): Promise<Next | undefined> {
  const seen = await work.ctx.resolver.sees(record)
  if (seen.ok && seen.seen) return undefined
  const message = `${record.name} does not have the record yet: ${seen.ok ? seen.detail : seen.message}`
  const reason = { code: 'dns_propagation', message, fix: 'Look whether the zone’s servers all take over changes.' }
  return isOverdue(work, longestForRecords) ? { kind: 'fail', reason } : { kind: 'wait', ms: between, reason }
}

function isOverdue({ ctx, order }: Work, longest: number): boolean {
  return order.begun_at !== null && ctx.now() - Date.parse(order.begun_at) > longest
}

function notOffered({ name }: OrderAuthorization, { certificate }: Work) {
  const message = `The CA does not offer ${certificate.challenge} for ${name}.`
  return { code: 'challenge', message, fix: certificate.challenge === 'http-01' ? 'Use dns-01.' : 'Use http-01.' }
}
