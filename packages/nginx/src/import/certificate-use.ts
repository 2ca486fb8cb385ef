import { absolute } from './path.ts'
import type { SourceDirective } from './source.ts'

/** The certificate of the workspace that stands for a file: its id, with what is to be said of it, or why there is none. */
export type FoundCertificate = string | { id?: string; message: string } | undefined

/** Gives the certificate that stands for a file; `names` are those of the server that names it, `keyPath` is the file of its key. */
export type FindCertificate = (path: string, names: readonly string[], keyPath: string | undefined) => FoundCertificate

/** The certificates that servers name, and what the block around them says for those that name none. */
export interface CertificateUse {
  find: FindCertificate
  folder: string
  around: readonly SourceDirective[]
  /** By path: the names of the servers that use it, and what was found for it. */
  used: Map<string, { server_names: string[]; id: string | undefined }>
}

/** The certificate of a server and what becomes of its file, or what is missing. */
export type UsedCertificate =
  | { id: string; directive: SourceDirective; message?: string }
  | { id?: undefined; directive?: SourceDirective; message: string }

/** Finds the certificate of a server. */
export function useCertificate(
  server: SourceDirective,
  names: readonly string[],
  { find, folder, around, used }: CertificateUse,
): UsedCertificate {
  // nginx takes both from one level, each pair in the order in which they stand.
  const own = server.block!.some(({ name }) => name === 'ssl_certificate') ? server.block! : around
  const directive = own.find(({ name }) => name === 'ssl_certificate')
  const file = directive?.args[0]
  if (directive === undefined || file === undefined) return { message: 'it speaks TLS and names no certificate' }
  const path = absolute(file, folder)
  const key = [...own, ...around].find(({ name }) => name === 'ssl_certificate_key')?.args[0]
  const known = used.get(path) ?? { server_names: [], id: undefined }
  for (const name of names) if (!known.server_names.includes(name)) known.server_names.push(name)
  const found = find(path, names, key === undefined ? undefined : absolute(key, folder))
  const { id, message } = typeof found === 'string' ? { id: found } : (found ?? {})
  known.id ??= id
  used.set(path, known)
  const missing = `no certificate of the workspace stands for "${path}": add one for its names, name one for this path, or add the file and that of its key to "files"`
  if (id === undefined) return { directive, message: message ?? missing }
  return { id, directive, ...(message !== undefined && { message }) }
}
