import { absolute } from './path.ts'
import type { SourceDirective } from './source.ts'

/** Gives the certificate of the workspace that stands for a file, or undefined; `names` are those of the server that names it. */
export type FindCertificate = (path: string, names: readonly string[]) => string | undefined

/** The certificates that servers name, and what the http block says for those that name none. */
export interface CertificateUse {
  find: FindCertificate
  folder: string
  inherited?: SourceDirective | undefined
  /** By path: the names of the servers that use it, and what was found for it. */
  used: Map<string, { server_names: string[]; id: string | undefined }>
}

/** Finds the certificate of a server. Without an id the message says what is missing. */
export function useCertificate(
  server: SourceDirective,
  names: readonly string[],
  { find, folder, inherited, used }: CertificateUse,
): { id?: string; directive?: SourceDirective; message: string } {
  const directive = server.block!.find(({ name }) => name === 'ssl_certificate') ?? inherited
  const file = directive?.args[0]
  if (directive === undefined || file === undefined) return { message: 'it speaks TLS and names no certificate' }
  const path = absolute(file, folder)
  const known = used.get(path) ?? { server_names: [], id: undefined }
  for (const name of names) if (!known.server_names.includes(name)) known.server_names.push(name)
  const id = find(path, names)
  known.id ??= id
  used.set(path, known)
  const message = `no certificate of the workspace stands for "${path}": add one for its names, or name one for this path`
  return { directive, message, ...(id !== undefined && { id }) }
}
