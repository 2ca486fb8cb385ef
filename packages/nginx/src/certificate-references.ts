import { type Directive, parse } from './parse.ts'

/** A certificate file that a configuration names, and the names of the server that does. */
export interface CertificateReference {
  path: string
  server_names: string[]
}

export interface References {
  /** Patterns of `include`, in the order of the file. */
  includes: string[]
  certificates: CertificateReference[]
}

const naming = new Set([
  'ssl_certificate',
  'ssl_client_certificate',
  'ssl_trusted_certificate',
  'proxy_ssl_certificate',
  'proxy_ssl_trusted_certificate',
  'grpc_ssl_certificate',
  'uwsgi_ssl_certificate',
])

/** The certificate files that one file of a configuration names, and the files that it includes; undefined where it cannot be read. Source: nginx, ngx_http_ssl_module. */
export function certificateReferences(text: string): References | undefined {
  const parsed = parse(text)
  if (!parsed.ok) return undefined
  const found: References = { includes: [], certificates: [] }
  collect(parsed.tree.directives, [], found)
  return found
}

function collect(directives: readonly Directive[], outer: string[], found: References): void {
  const own = directives.filter(({ name }) => name === 'server_name').flatMap(({ args }) => args.map(({ value }) => value))
  const names = own.length > 0 ? own : outer
  for (const { name, args, block } of directives) {
    const [first] = args
    if (name === 'include' && first) found.includes.push(first.value)
    // What nginx takes from an engine or a variable is no file that can be read here.
    if (naming.has(name) && first && !first.value.startsWith('data:') && !first.value.startsWith('engine:')) {
      found.certificates.push({ path: first.value, server_names: names })
    }
    if (block?.kind === 'directives') collect(block.directives, names, found)
  }
}
