import { z } from 'zod'
import { id, timestamp } from './text.ts'

/** What the agents of a workspace are given of a certificate, without its key: nothing but its names while there is none yet. */
export const servedCertificate = z
  .strictObject({
    id,
    workspace_id: id,
    name: z.string(),
    names: z.array(z.string()),
    certificate_pem: z.string().nullable(),
    expires_at: timestamp.nullable(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'ServedCertificate' })

export type ServedCertificate = z.infer<typeof servedCertificate>

/** The same as the master keeps it. */
export interface WorkspaceCertificate extends ServedCertificate {
  /** The private key as PEM, encrypted; null while there is none. */
  sealed_key: string | null
  /** Of the ACME account whose HTTP-01 challenges for the names are answered; null where they are not. */
  thumbprint: string | null
}

/** What may be shown of it. */
export function shownServed({ sealed_key: _key, thumbprint: _thumbprint, ...shown }: WorkspaceCertificate): ServedCertificate {
  return shown
}
