import {
  certificate,
  certificateChange,
  certificateInput,
  certificateOrder,
  preflightResult,
  revocationReasons,
} from '@nxmesh/model/certificate'
import { inventoryEntry } from '@nxmesh/model/certificate-inventory'
import { id } from '@nxmesh/model/text'
import { z } from 'zod'
import { type Patch, patchOf } from '../merge-patch.ts'
import { ids, pageOf, paging, route } from '../route.ts'

export const listCertificates = route({
  id: 'certificate.list',
  method: 'GET',
  path: '/workspaces/{workspace_id}/certificates',
  summary: 'List the certificates of a workspace',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  query: paging,
  response: pageOf(certificate),
})

export const requestCertificate = route({
  id: 'certificate.request',
  method: 'POST',
  path: '/workspaces/{workspace_id}/certificates',
  summary: 'Request a certificate, or upload one',
  access: { on: 'workspace', need: 'operator' },
  params: ids('workspace_id'),
  body: certificateInput,
  response: certificate,
  status: 201,
})

export const preflightCertificate = route({
  id: 'certificate.preflight',
  method: 'POST',
  path: '/workspaces/{workspace_id}/certificates/preflight',
  summary: 'Tell what would make the request of a certificate fail, without asking the CA for it',
  access: { on: 'workspace', need: 'operator' },
  params: ids('workspace_id'),
  body: certificateInput,
  response: preflightResult,
  waits: true,
})

export const getCertificate = route({
  id: 'certificate.get',
  method: 'GET',
  path: '/certificates/{certificate_id}',
  summary: 'Get a certificate',
  access: { on: 'certificate', need: 'viewer' },
  params: ids('certificate_id'),
  response: certificate,
})

export const getCertificateChain = route({
  id: 'certificate.get-chain',
  method: 'GET',
  path: '/certificates/{certificate_id}/chain',
  summary: 'Download the certificate and its intermediates as PEM',
  access: { on: 'certificate', need: 'viewer' },
  params: ids('certificate_id'),
  response: z.string(),
  produces: ['application/pem-certificate-chain'],
})

export const listCertificateOrders = route({
  id: 'certificate.list-orders',
  method: 'GET',
  path: '/certificates/{certificate_id}/orders',
  summary: 'List the orders of a certificate, newest first',
  access: { on: 'certificate', need: 'viewer' },
  params: ids('certificate_id'),
  query: paging,
  response: pageOf(certificateOrder),
})

export const updateCertificate = route({
  id: 'certificate.update',
  method: 'PATCH',
  path: '/certificates/{certificate_id}',
  summary: 'Change how a certificate is renewed, or upload its successor',
  access: { on: 'certificate', need: 'operator' },
  params: ids('certificate_id'),
  body: patchOf(certificateChange),
  response: certificate,
})

export const renewCertificate = route({
  id: 'certificate.renew',
  method: 'POST',
  path: '/certificates/{certificate_id}/renew',
  summary: 'Get a new certificate for the same names now, with a new key',
  access: { on: 'certificate', need: 'operator' },
  params: ids('certificate_id'),
  body: z.strictObject({ skip_preflight: z.boolean().default(false) }).optional(),
  response: certificate,
  errors: ['CONFLICT'],
})

export const revokeCertificate = route({
  id: 'certificate.revoke',
  method: 'POST',
  path: '/certificates/{certificate_id}/revoke',
  summary: 'Revoke a certificate at its CA',
  access: { on: 'certificate', need: 'operator' },
  params: ids('certificate_id'),
  body: z.strictObject({ reason: z.enum(Object.keys(revocationReasons) as [Reason, ...Reason[]]).default('unspecified') }).optional(),
  response: certificate,
  errors: ['CONFLICT', 'SERVICE_UNAVAILABLE'],
  waits: true,
})

export const deleteCertificate = route({
  id: 'certificate.delete',
  method: 'DELETE',
  path: '/certificates/{certificate_id}',
  summary: 'Delete a certificate and its key',
  access: { on: 'certificate', need: 'operator' },
  params: ids('certificate_id'),
})

export const listCertificateInventory = route({
  id: 'certificate-inventory.list',
  method: 'GET',
  path: '/workspaces/{workspace_id}/certificate-inventory',
  summary: 'List everything of a workspace that ends, first what ends first: managed certificates, and those found on hosts',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  query: paging,
  response: pageOf(inventoryEntry),
})

export const getCertificateAuthority = route({
  id: 'certificate-authority.get',
  method: 'GET',
  path: '/workspaces/{workspace_id}/certificate-authority',
  summary: 'Get the CA that signs the certificates of provider self_signed',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  response: z
    .strictObject({ workspace_id: id, certificate_pem: z.string(), expires_at: z.string(), fingerprint: z.string() })
    .meta({ id: 'CertificateAuthority' }),
})

type Reason = keyof typeof revocationReasons

export type CertificatePatch = Patch<z.input<typeof certificateChange>>
