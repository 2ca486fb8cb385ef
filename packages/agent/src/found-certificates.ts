import { constants } from 'node:fs'
import { type FileHandle, glob, open, readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type CertificateFacts, readCertificate } from '@nxmesh/model/x509'
import { type CertificateReference, certificateReferences } from '@nxmesh/nginx/certificate-references'

/** A certificate file that the host's own nginx names. */
export interface FoundCertificate {
  path: string
  server_names: string[]
  facts: CertificateFacts | undefined
  /** Why it could not be read. */
  error: string
}

export interface FoundCertificates {
  /** Looks again; reads only files that have changed since. */
  look(): Promise<FoundCertificate[]>
}

const mostFiles = 1000
const mostCertificates = 1000
const mostBytes = 1_000_000
const mostNames = 100
const block = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]+-----END (?:X509 |TRUSTED )?CERTIFICATE-----/

/** Finds the certificates that the configuration of `main` names, except what is in the files of `own`. */
export function openFoundCertificates(main: string, own: string): FoundCertificates {
  const known = new Map<string, { stamp: string; read: Pick<FoundCertificate, 'facts' | 'error'> }>()

  async function readFound({ path, server_names }: CertificateReference): Promise<FoundCertificate> {
    const names = server_names.slice(0, mostNames)
    const where = resolve(dirname(main), path)
    const unread = (error: string) => ({ path: where, server_names: names, facts: undefined, error })
    if (path.includes('$')) return unread('its path holds a variable')
    let file: FileHandle | undefined
    try {
      // A fifo must not hold us up.
      file = await open(where, constants.O_RDONLY | constants.O_NONBLOCK)
      const { mtimeMs, size, ino, isFile } = await statOf(file)
      if (!isFile) return unread('it is no file')
      if (size > mostBytes) return unread('it is larger than a megabyte')
      const stamp = `${mtimeMs} ${size} ${ino}`
      const before = known.get(where)
      const read = before?.stamp === stamp ? before.read : readText(await file.readFile('latin1'))
      known.set(where, { stamp, read })
      return { path: where, server_names: names, ...read }
    } catch (cause) {
      known.delete(where)
      return unread((cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'it does not exist' : (cause as Error).message)
    } finally {
      await file?.close()
    }
  }

  return {
    async look() {
      const references = await referencesFrom(main, own)
      const found: FoundCertificate[] = []
      for (const reference of references) found.push(await readFound(reference))
      return found
    },
  }
}

async function statOf(file: FileHandle) {
  const stat = await file.stat()
  return { mtimeMs: stat.mtimeMs, size: stat.size, ino: stat.ino, isFile: stat.isFile() }
}

// The key may be in the same file: of it nothing is kept.
function readText(text: string): Pick<FoundCertificate, 'facts' | 'error'> {
  const [pem] = block.exec(text) ?? []
  const facts = pem === undefined ? undefined : readCertificate(pem)
  return { facts, error: facts ? '' : 'it holds no certificate that can be read' }
}

/** Every certificate file that a configuration names, each once, in the order of the configuration. */
async function referencesFrom(main: string, own: string): Promise<CertificateReference[]> {
  const seen = new Set<string>([own])
  const byPath = new Map<string, CertificateReference>()
  const waiting = [main]
  for (let path = waiting.shift(); path !== undefined && seen.size < mostFiles; path = waiting.shift()) {
    if (seen.has(path)) continue
    seen.add(path)
    const text = await readFile(path, 'utf8').catch(() => '')
    const { includes, certificates } = certificateReferences(text) ?? { includes: [], certificates: [] }
    for (const reference of certificates) {
      const before = byPath.get(reference.path)
      const server_names = [...new Set([...(before?.server_names ?? []), ...reference.server_names])]
      if (before || byPath.size < mostCertificates) byPath.set(reference.path, { path: reference.path, server_names })
    }
    for (const pattern of includes) waiting.push(...(await filesOf(resolve(dirname(main), pattern))))
  }
  return [...byPath.values()]
}

async function filesOf(pattern: string): Promise<string[]> {
  if (!/[*?[]/.test(pattern)) return [pattern]
  const files: string[] = []
  for await (const file of glob(pattern)) {
    files.push(file)
    if (files.length === mostFiles) break
  }
  return files.toSorted()
}
