import type { ExplainInput } from '@nxmesh/model/explanation'
import { toBytes } from './read-config.ts'
import type { Incoming } from './visit.ts'

/** The request that a user asks about, as it would reach nginx. */
export function incomingOf(input: ExplainInput): Incoming {
  const { method, scheme, host, path, existing_files: paths } = input
  const { source_address: source, destination_address: destination, proxy_protocol_address: proxied } = input
  const headers = new Map(Object.entries(input.headers).map(([name, value]) => [name.toLowerCase(), [toBytes(value.trim())]]))
  const port = input.port ?? Number(/:(\d{1,5})$/.exec(host)?.[1] ?? (scheme === 'https' ? 443 : 80))
  return { method, scheme, host, port, path, headers, source, destination, proxied, files: paths && filesIn(paths) }
}

/** What is on disk by a list of paths: those that end with a "/" are folders, as is what leads to another. */
function filesIn(paths: readonly string[]): NonNullable<Incoming['files']> {
  const files = new Set<string>()
  const folders = new Set<string>()
  for (const path of paths) {
    const bytes = plain(toBytes(path))
    if (path.endsWith('/')) folders.add(bytes.replace(/\/$/, ''))
    else files.add(bytes)
    for (let at = bytes.lastIndexOf('/'); at >= 0; at = bytes.lastIndexOf('/', at - 1)) {
      folders.add(bytes.slice(0, at))
      if (at === 0) break
    }
  }
  return (path) => {
    const bytes = plain(path)
    if (folders.has(bytes.replace(/\/$/, ''))) return 'directory'
    return files.has(bytes) ? 'file' : 'none'
  }
}

// As the file system sees it.
function plain(path: string): string {
  return path.replace(/\/(\.?\/)+/g, '/').replace(/\/\.$/, '/')
}
