import type { TlsPolicy } from '@nxmesh/model/tls'

/** Reads the name of a TLS policy; throws for one that this agent does not know. */
export function policyOf(policy: string): TlsPolicy {
  switch (policy) {
    case 'modern':
    case 'intermediate':
    case 'old':
      return policy
    default:
      throw new Error(`the TLS policy "${policy}" is not known to this agent`)
  }
}
