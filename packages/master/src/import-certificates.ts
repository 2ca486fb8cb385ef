import { certificateInput } from '@nxmesh/model/certificate'
import { uncovered } from '@nxmesh/model/certificate-name'
import type { ImportProblem } from '@nxmesh/model/import'
import type { WorkspaceCertificate } from '@nxmesh/model/served-certificate'
import { readCertificate } from '@nxmesh/model/x509'
import type { FindCertificate, FoundCertificate } from '@nxmesh/nginx/import/certificate-use'
import { pathOf } from '@nxmesh/nginx/import/includes'
import { type Material, readMaterial } from './certificates/material.ts'
import { newRow, withMaterial } from './certificates/row.ts'
import type { Ctx } from './ctx.ts'
import type { CertificateRow } from './db/schema-certificates.ts'

/** The certificates that the files of an import hold with their keys. Of a key nothing is ever said but whether it can be had. */
export interface BroughtCertificates {
  /** The certificate of a file for these names; undefined where the files do not hold it with its key. */
  find: FindCertificate
  /** Those that are new, by id, as they would be written. */
  created: ReadonlyMap<string, CertificateRow>
  problems: ImportProblem[]
}

type Brought = { id: string; names: readonly string[]; message: string } | { id?: undefined; message: string }

const privateKey = /-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?-----END \1-----/g

/**
 * Reads chains and keys from the files of an import, to the same rules as an upload: one certificate for each pair of files, and the
 * one that the workspace has where it is the same.
 */
export function broughtCertificates(
  ctx: Ctx,
  workspaceId: string,
  files: ReadonlyMap<string, string>,
  present: readonly WorkspaceCertificate[],
): BroughtCertificates {
  const texts = new Map([...files].map(([path, text]) => [pathOf(path), text]))
  const known = new Map<string, Brought>()
  const created = new Map<string, CertificateRow>()
  const byFingerprint = new Map<string, { id: string; name: string }>()
  const problems: ImportProblem[] = []
  const take = (path: string, keyPath: string): Brought | undefined => {
    const [chain, key] = [texts.get(path), texts.get(keyPath)]
    if (chain === undefined || key === undefined) return undefined
    const read = readUpload(ctx, chain, key)
    if ('message' in read) {
      const message = `the certificate in "${path}" with the key in "${keyPath}" cannot be taken over: ${read.message}`
      problems.push({ file: path, line: 1, column: 1, code: 'UNUSABLE_CERTIFICATE', message })
      return { message }
    }
    const { names, fingerprint } = read.material.facts
    if (byFingerprint.size === 0) for (const [own, which] of fingerprintsOf(present)) byFingerprint.set(own, which)
    const same = byFingerprint.get(fingerprint)
    if (same) return { ...same, names, message: `is the certificate "${same.name}" of the workspace` }
    const input = certificateInput.parse({ domain: read.domain, provider: 'uploaded' })
    const row = { ...withMaterial(ctx, newRow(ctx, workspaceId, input, names, null), read.material), revision: 1 }
    created.set(row.id, row)
    byFingerprint.set(fingerprint, row)
    return { id: row.id, names, message: `becomes the certificate "${row.name}", with the key in "${keyPath}"` }
  }
  const find = (path: string, names: readonly string[], keyPath: string | undefined): FoundCertificate => {
    if (keyPath === undefined) return undefined
    const pair = `${path}\n${keyPath}`
    const brought = known.get(pair) ?? take(path, keyPath)
    if (brought === undefined) return undefined
    known.set(pair, brought)
    if (brought.id === undefined) return { message: brought.message }
    const missing = uncovered(names, brought.names)
    if (missing.length > 0)
      return { message: `the certificate in "${path}" is not for ${missing.join(', ')}, but for ${brought.names.join(', ')}` }
    return { id: brought.id, message: brought.message }
  }
  return { find, created, problems }
}

/** A chain and key as an upload, read and found to be good; nginx takes files that hold both. */
function readUpload(ctx: Pick<Ctx, 'now'>, chain: string, key: string): { material: Material; domain: string } | { message: string } {
  const certificate_pem = chain.replaceAll(privateKey, '')
  const private_key_pem = key.match(privateKey)?.[0] ?? ''
  const read = readMaterial(certificate_pem, private_key_pem, ctx.now())
  if (!read.ok) return { message: read.problems.map(({ field, message }) => `${field} ${message}`).join(', ') }
  for (const domain of read.material.facts.names) {
    const said = certificateInput.safeParse({ domain, provider: 'uploaded', certificate_pem, private_key_pem })
    if (said.success) return { material: read.material, domain: said.data.domain }
  }
  return { message: 'it is for no name that a certificate may have, or too long' }
}

function* fingerprintsOf(present: readonly WorkspaceCertificate[]): Generator<[fingerprint: string, { id: string; name: string }]> {
  for (const { id, name, certificate_pem } of present) {
    const facts = certificate_pem === null ? undefined : readCertificate(certificate_pem)
    if (facts) yield [facts.fingerprint, { id, name }]
  }
}
