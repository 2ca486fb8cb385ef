import type { CertificateOrder, CertificateProvider, ChallengeType, KeyType, OrderStep } from '@nxmesh/model/certificate'
import type { Selectable } from 'kysely'

/** Accounts at ACME servers. */
export interface AcmeAccounts {
  id: string
  workspace_id: string
  name: string
  directory_url: string
  /** The CA of the server's own address, where it is not one that everybody trusts. */
  ca_pem: string | null
  email: string | null
  eab_kid: string | null
  sealed_eab_key: string | null
  /** The provider that has made this account by itself; null for one that a user has added. */
  built_in: 'letsencrypt' | 'letsencrypt_staging' | null
  sealed_key: string
  thumbprint: string
  /** The key that is to come in the place of `sealed_key`, while the server may know either. */
  sealed_next_key: string | null
  /** What the server calls the account; null before it is registered. */
  url: string | null
  created_at: string
  updated_at: string
  revision: number
}

export interface Certificates {
  id: string
  workspace_id: string
  /** The domain. */
  name: string
  /** What agents are given of it, as WorkspaceCertificate. */
  doc: string
  provider: CertificateProvider
  auto_renew: number
  key_type: KeyType
  challenge: ChallengeType | null
  dns_provider_id: string | null
  acme_account_id: string | null
  profile: string | null
  issued_at: string | null
  not_before: string | null
  expires_at: string | null
  revoked_at: string | null
  /** Why the last order failed, as CertificateError. */
  error: string | null
  /** Failed orders since the last that did not. */
  failures: number
  /** When the next order begins; null where none is to. */
  order_due_at: string | null
  /** When the CA is asked again when it wants the certificate renewed. */
  renewal_info_due_at: string | null
  /** When people are told next that it ends. */
  warn_at: string | null
  created_at: string
  updated_at: string
  revision: number
}

export interface CertificateOrders {
  id: string
  certificate_id: string
  workspace_id: string
  acme_account_id: string | null
  step: OrderStep
  /** What the ACME server calls it. */
  url: string | null
  /** The key that the certificate will be for. */
  sealed_key: string
  /** As OrderAuthorization[]. */
  authorizations: string
  skip_preflight: number
  /** When the present step was first tried. */
  begun_at: string | null
  /** How often it was taken up. */
  attempt: number
  /** When it is taken up next. */
  next_at: string | null
  leased_by: string | null
  leased_until: string | null
  outcome: CertificateOrder['outcome']
  /** As CertificateError. */
  error: string | null
  created_at: string
  ended_at: string | null
}

/** The CA of a workspace that signs what is not for the public. */
export interface CertificateAuthorities {
  workspace_id: string
  certificate_pem: string
  sealed_key: string
  created_at: string
}

/** Certificate files that agents have found in the configuration of their hosts. */
export interface FoundCertificates {
  id: string
  workspace_id: string
  agent_id: string
  path: string
  /** Lists as JSON. */
  server_names: string
  names: string
  subject: string | null
  issuer: string | null
  serial: string | null
  fingerprint: string | null
  key: string | null
  not_before: string | null
  not_after: string | null
  /** By which they are listed: far in the future where nothing is known. */
  ends_at: string
  error: string | null
  seen_at: string
}

export type FoundCertificateRow = Selectable<FoundCertificates>
export type AcmeAccountRow = Selectable<AcmeAccounts>
export type CertificateRow = Selectable<Certificates>
export type CertificateOrderRow = Selectable<CertificateOrders>
