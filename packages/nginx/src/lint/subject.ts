import type { Certificate } from '@nxmesh/model/certificate'
import type { Labels } from '@nxmesh/model/labels'
import type { Settings } from '@nxmesh/model/settings'
import type { StreamHost } from '@nxmesh/model/stream-host'
import type { Upstream } from '@nxmesh/model/upstream'
import type { VirtualHost } from '@nxmesh/model/virtual-host'

/** What rules need to know of a certificate. */
export type LintCertificate = Pick<Certificate, 'id' | 'provider' | 'auto_renew' | 'expires_at'> & { name: string }

/** What rules need to know of an agent. */
export interface LintAgent {
  id: string
  name: string
  labels: Labels
}

/** A workspace as the rules see it, each list in order of creation. */
export interface LintSubject {
  workspace_id: string
  virtual_hosts: readonly VirtualHost[]
  stream_hosts: readonly StreamHost[]
  upstreams: readonly Upstream[]
  certificates: readonly LintCertificate[]
  settings: Settings
  agents: readonly LintAgent[]
  /** Milliseconds since the epoch. */
  now: number
}
