import type { AuditEntry } from '@nxmesh/model/audit'

/** Who asked for what is being done, and how: what revisions and the audit log keep of it. */
export interface Origin {
  actor: AuditEntry['actor']
  address: string
  requestId: string
  /** The operation id. */
  action: string
  /** Why, in the words of whoever asked. */
  reason: string | null
}
