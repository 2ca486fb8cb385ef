import type { ConfigCertificate } from '@nxmesh/model/agent-config'
import type { RenderedFile, RenderTarget } from './target.ts'

/** By certificate id: how the configuration names its files. */
export type CertificateFiles = ReadonlyMap<string, { certificate: string; key: string }>

/** The files for every certificate that came with its material, readable by their owner alone. */
export function renderCertificates(
  certificates: Record<string, ConfigCertificate>,
  target: RenderTarget,
): { files: RenderedFile[]; paths: CertificateFiles } {
  const files: RenderedFile[] = []
  const paths = new Map<string, { certificate: string; key: string }>()
  const taken = new Set<string>()
  const folder = target.directory === undefined ? '' : `${target.directory.replace(/\/$/, '')}/`
  for (const [id, { certificate_pem, private_key_pem }] of Object.entries(certificates)) {
    if (certificate_pem === '' || private_key_pem === '') continue
    const name = fileName(id, taken)
    const certificate = `certificates/${name}.pem`
    const key = `certificates/${name}.key`
    files.push({ path: certificate, text: ended(certificate_pem), mode: 0o600 }, { path: key, text: ended(private_key_pem), mode: 0o600 })
    if (target.mode === 'owned' || folder !== '') paths.set(id, { certificate: folder + certificate, key: folder + key })
  }
  return { files, paths }
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
