import { X509Certificate } from 'node:crypto'
import type { ConfigCertificate } from '@nxmesh/model/agent-config'
import { folderOf, type RenderedFile, type RenderTarget } from './target.ts'

/** How the configuration names the files of a certificate, and whether that names an OCSP responder. */
export interface CertificatePaths {
  certificate: string
  key: string
  hasOcsp: boolean
}

/** By certificate id. */
export type CertificateFiles = ReadonlyMap<string, CertificatePaths>

/** The files for every certificate that came with its material, readable by their owner alone. */
export function renderCertificates(
  certificates: Record<string, ConfigCertificate>,
  target: RenderTarget,
): { files: RenderedFile[]; paths: CertificateFiles } {
  const files: RenderedFile[] = []
  const paths = new Map<string, CertificatePaths>()
  const taken = new Set<string>()
  const folder = folderOf(target)
  for (const [id, { certificate_pem, private_key_pem }] of Object.entries(certificates)) {
    if (certificate_pem === '' || private_key_pem === '') continue
    const name = fileName(id, taken)
    const certificate = `certificates/${name}.pem`
    const key = `certificates/${name}.key`
    files.push({ path: certificate, text: ended(certificate_pem), mode: 0o600 }, { path: key, text: ended(private_key_pem), mode: 0o600 })
    if (target.mode === 'owned' || folder !== '')
      paths.set(id, { certificate: folder + certificate, key: folder + key, hasOcsp: namesResponder(certificate_pem) })
  }
  return { files, paths }
}

// Source: RFC 5280 section 4.2.2.1.
function namesResponder(pem: string): boolean {
  try {
    return new X509Certificate(pem).infoAccess?.includes('OCSP - URI:') === true
  } catch {
    return false
  }
}

function fileName(id: string, taken: Set<string>): string {
  const safe = id.replace(/[^A-Za-z0-9-]/g, '_').slice(0, 100)
  let name = safe
  for (let copy = 2; taken.has(name); copy++) name = `${safe}_${copy}`
  taken.add(name)
  return name
}

function ended(pem: string): string {
  return pem.endsWith('\n') ? pem : `${pem}\n`
}
