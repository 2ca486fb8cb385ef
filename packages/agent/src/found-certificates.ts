import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type CertificateFacts, readCertificate } from '@nxmesh/model/x509'
import { type CertificateReference, certificateReferences } from '@nxmesh/nginx/certificate-references'
import { readConfigFiles, readRegular } from './config-files.ts'

/** A certificate file that the host's own nginx names. */
export interface FoundCertificate {
  path: string
  server_names: string[]
  facts: CertificateFacts | undefined
  /** Why it could not be read. */
  error: string
}

export type Look =
  | { ok: true; found: FoundCertificate[]; leftOut: string[] }
  /** The configuration is not one that nginx would load: nothing is known. */
  | { ok: false; reason: string }

type Content = Pick<FoundCertificate, 'facts' | 'error'>

const mostCertificates = 1000
const mostBytes = 1_000_000
const block = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]+-----END (?:X509 |TRUSTED )?CERTIFICATE-----/

/** Looks for the certificates that the configuration of `main` names, except what is in the file `own`; reads again only files that have changed. */
export function openFoundCertificates(main: string, own: string): () => Promise<Look> {
  let known = new Map<string, { stamp: string; content: Content }>()

  return async () => {
    const files = await readConfigFiles(main, own)
    if (!files.ok) return files
    const references = certificateReferences(files.main, files.included).slice(0, mostCertificates)
    const next: typeof known = new Map()
    const found: FoundCertificate[] = []
    for (const { path, server_names } of references) {
      const where = resolve(dirname(main), path)
      found.push({ path: where, server_names, ...(await contentOf(path, where, next)) })
    }
    known = next
    return { ok: true, found, leftOut: files.leftOut }
  }

  async function contentOf(written: CertificateReference['path'], path: string, next: typeof known): Promise<Content> {
    if (written.includes('$')) return { facts: undefined, error: 'its path holds a variable' }
    const stamp = await stampOf(path)
    const before = known.get(path)
    if (stamp !== undefined && before?.stamp === stamp) {
      next.set(path, before)
      return before.content
    }
    const reading = await readRegular(path, mostBytes)
    if (reading.kind !== 'text') return { facts: undefined, error: reading.reason }
    const content = readText(reading.text)
    if (stamp !== undefined) next.set(path, { stamp, content })
    return content
  }
}

async function stampOf(path: string): Promise<string | undefined> {
  const facts = await stat(path).catch(() => undefined)
  return facts && `${facts.mtimeMs} ${facts.ctimeMs} ${facts.size} ${facts.ino}`
}

// The key may be in the same file: of it nothing is kept.
function readText(text: string): Content {
  const [pem] = block.exec(text) ?? []
  const facts = pem === undefined ? undefined : readCertificate(pem)
  return { facts, error: facts ? '' : 'it holds no certificate that can be read' }
}
