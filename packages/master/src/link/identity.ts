import { timingSafeEqual } from 'node:crypto'
import { parseAgentToken } from '../agent-token.ts'
import type { Authority } from '../authority.ts'
import type { AgentRow } from '../db/schema.ts'
import { type Refusal, unauthenticated } from './refusal.ts'

/** Who a peer says it is: proved by its certificate, or to be proved by the secret in its token. */
export type Claim =
  | { kind: 'certificate'; agentId: string; issuedAt: number; expired: boolean }
  | { kind: 'token'; agentId: string; hash: string }

/** Reads who a peer claims to be from its certificate (DER), which comes first, or from its token. */
export function readClaim(authority: Authority, certificate: Uint8Array | undefined, token: string): Claim | Refusal {
  const agent = certificate && authority.agentOf(certificate)
  if (agent) return { kind: 'certificate', ...agent }
  if (token === '') {
    return certificate
      ? unauthenticated('CERTIFICATE_INVALID', 'the client certificate is not one that this master issued, or it is too old')
      : unauthenticated('CREDENTIALS_MISSING', 'neither a token nor a client certificate was given')
  }
  const parsed = parseAgentToken(token)
  return parsed ? { kind: 'token', ...parsed } : unauthenticated('TOKEN_INVALID', 'the token is not valid')
}

type Identity = Pick<AgentRow, 'token_hash' | 'token_expires_at' | 'registered_at' | 'upgraded_at' | 'certificates_valid_from'>

/** Holds a claim against the agent's row; the refusal, or undefined when the claim is good. */
export function refuseClaim(claim: Claim, row: Identity | undefined, now: number): Refusal | undefined {
  switch (claim.kind) {
    case 'certificate':
      if (!row) return unauthenticated('AGENT_DELETED', 'this agent is not known here: it was deleted')
      if (row.certificates_valid_from !== null && claim.issuedAt < Date.parse(row.certificates_valid_from)) {
        return unauthenticated('CERTIFICATE_REVOKED', 'the certificate of this agent was revoked')
      }
      return undefined
    case 'token':
      if (!row) return unauthenticated('TOKEN_INVALID', 'the token is not valid: its agent is not known here or was deleted')
      if (row.token_hash === null) return unauthenticated('TOKEN_REVOKED', 'the token was revoked')
      if (!sameHash(claim.hash, row.token_hash)) return unauthenticated('TOKEN_INVALID', 'the token is not valid')
      if (row.upgraded_at !== null) {
        return unauthenticated('TOKEN_UPGRADED', 'this agent has a certificate; its token no longer works')
      }
      if (row.registered_at === null && now > Date.parse(row.token_expires_at)) {
        return unauthenticated('TOKEN_EXPIRED', `the token expired at ${row.token_expires_at} before an agent registered with it`)
      }
      return undefined
    default:
      return claim satisfies never
  }
}

function sameHash(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
