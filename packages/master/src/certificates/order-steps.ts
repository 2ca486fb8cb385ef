import type { OrderStep } from '@nxmesh/model/certificate'
import { timestamp } from '../ctx.ts'
import { csrOf } from './acme/csr.ts'
import { waitingForAgents } from './agents-ready.ts'
import { answerChallenges, awaitValidation } from './challenges.ts'
import { readMaterial } from './material.ts'
import { afterProblem, type Next, shownByCa, type Work } from './order-step.ts'
import { preflight } from './preflight.ts'
import { uncoveredProblems } from './request-rules.ts'
import { finishRotation } from './rotate-key.ts'
import { servedOf } from './row.ts'

/** What is done in each step of an order. Each can be done again after it was broken off at any point. */
export const orderSteps: Record<OrderStep, (work: Work) => Promise<Next>> = {
  preflight: lookAhead,
  account: register,
  order: begin,
  challenges: answerChallenges,
  validation: awaitValidation,
  finalization: finalize,
  download,
  installation: download,
}

const shortest = 1000
const minute = 60_000
const longestForAgents = minute
const longestForPreflight = 60 * minute
// A CA that has just issued a certificate is not wrong about the time; this machine may be.
const mostAhead = 24 * 60 * minute

// Whoever asks for a certificate first and makes the virtual host afterwards gets it then: nobody outside has been bothered.
async function lookAhead({ ctx, order, certificate, account }: Work): Promise<Next> {
  const begin: Next = { kind: 'go', step: account.url === null || account.sealed_next_key !== null ? 'account' : 'order' }
  if (order.skip_preflight === 1) return begin
  const { names } = servedOf(certificate)
  const { workspace_id: workspaceId, challenge, dns_provider_id: dnsProviderId, profile } = certificate
  const subject = { workspaceId, names, challenge: challenge!, account, thumbprint: account.thumbprint, dnsProviderId, profile }
  const waited = ctx.now() - Date.parse(order.begun_at ?? timestamp(ctx))
  if (challenge === 'http-01' && waited < longestForAgents && (await waitingForAgents(ctx, subject))) return { kind: 'wait', ms: 300 }
  const { findings } = await preflight(ctx, subject)
  // A server that is away is waited for by the steps that need it.
  const found = findings.find(({ severity, code }) => severity === 'error' && code !== 'ca_unreachable')
  if (!found) return begin
  const { code, message, fix } = found
  if (waited > longestForPreflight) return { kind: 'fail', reason: { code, message, fix } }
  return { kind: 'wait', ms: waited < minute ? shortest : 15 * shortest, reason: { code, message, fix } }
}

async function register(work: Work): Promise<Next> {
  const { ctx, client } = work
  let { account } = work
  if (account.sealed_next_key !== null && account.url !== null) {
    const finished = await finishRotation(ctx, account)
    if (!finished.ok) return afterProblem(work, finished.problem)
    account = finished.value
  }
  const eab = account.sealed_eab_key === null ? null : { kid: account.eab_kid!, hmacKey: ctx.secrets.open(account.sealed_eab_key) }
  const registered = await client.register(ctx.secrets.open(account.sealed_key), { email: account.email, eab })
  if (!registered.ok) return afterProblem(work, registered.problem)
  await ctx.db.updateTable('acme_accounts').set({ url: registered.value.url }).where('id', '=', account.id).execute()
  return { kind: 'go', step: 'order' }
}

async function begin(work: Work): Promise<Next> {
  const { certificate, client, credentials } = work
  const { names, certificate_pem } = servedOf(certificate)
  // What was revoked has no successor in the eyes of the CA.
  const replaces = certificate.revoked_at === null ? certificate_pem : null
  const options = { names, profile: certificate.profile, replaces }
  let made = await client.newOrder(credentials, options)
  if (!made.ok && made.problem.type === 'alreadyReplaced') made = await client.newOrder(credentials, { ...options, replaces: null })
  if (!made.ok) return afterProblem(work, made.problem)
  return { kind: 'go', step: 'challenges', changes: { url: made.value.url, authorizations: '[]' }, seen: made.value }
}

async function finalize(work: Work): Promise<Next> {
  const { ctx, order, certificate, client, credentials } = work
  const found = await shownByCa(work)
  if (!found.ok) return afterProblem(work, found.problem)
  const { status, problem, retryAt } = found.value
  switch (status) {
    case 'pending':
      return { kind: 'go', step: 'challenges' }
    case 'ready': {
      const csr = await csrOf(servedOf(certificate).names, ctx.secrets.open(order.sealed_key))
      const told = await client.finalize(credentials, found.value, csr)
      if (told.ok)
        return told.value.status === 'valid' ? { kind: 'go', step: 'download', seen: told.value } : { kind: 'wait', ms: shortest }
      return afterProblem(work, told.problem)
    }
    case 'processing':
      return { kind: 'wait', ms: Math.max(shortest, (retryAt ?? 0) - ctx.now()) }
    case 'valid':
      return { kind: 'go', step: 'download', seen: found.value }
    case 'invalid': {
      const unknown = { code: 'invalid', message: 'The CA gave the order up without saying why.', fix: 'It is tried again by itself.' }
      return problem ? afterProblem(work, problem) : { kind: 'fail', reason: unknown }
    }
    default:
      return status satisfies never
  }
}

async function download(work: Work): Promise<Next> {
  const { ctx, order, certificate, client, credentials, install } = work
  const found = await shownByCa(work)
  if (!found.ok) return afterProblem(work, found.problem)
  if (found.value.certificate === null)
    return found.value.status === 'valid' ? { kind: 'wait', ms: shortest } : { kind: 'go', step: 'finalization' }
  const chain = await client.certificate(credentials, found.value.certificate)
  if (!chain.ok) return afterProblem(work, chain.problem)
  const read = readMaterial(chain.value, ctx.secrets.open(order.sealed_key), ctx.now(), mostAhead)
  const unsound = (message: string): Next => ({
    kind: 'fail',
    reason: {
      code: 'unsound',
      message: `The CA issued a certificate that cannot be used: ${message}.`,
      fix: 'It is tried again by itself.',
    },
  })
  if (!read.ok) return unsound(read.problems.map(({ message }) => `it ${message}`).join(', '))
  const [missing] = uncoveredProblems({ domain: certificate.name, names: servedOf(certificate).names }, read.material.facts.names)
  if (missing) return unsound(missing.message)
  await install(order, read.material)
  return { kind: 'done' }
}
