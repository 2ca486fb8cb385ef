import type { AgentRow } from '../db/schema.ts'

type Facts = Pick<AgentRow, 'applied_digest' | 'rejected_digest' | 'config_status' | 'capability'>

/**
 * Whether an agent is to be offered the config it must run. `offeredDigest` is what this session offered last. A config that
 * was refused waits until it changes; one that is applied is offered again only to clear a failure. An agent that echoes no
 * digest may never answer, so it is offered each config once a session, and in every session at least one.
 */
export function shouldOffer(facts: Facts, desiredDigest: string, offeredDigest: string | undefined): boolean {
  if (facts.rejected_digest === desiredDigest) return false
  if (facts.capability === 0) return offeredDigest !== desiredDigest
  if (facts.applied_digest !== desiredDigest) return true
  return facts.config_status === 'failed' || facts.config_status === 'rolled_back'
}
