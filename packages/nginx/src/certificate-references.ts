import type { Directive } from './parse.ts'

/** A certificate file that a configuration names, and the names of the servers that do. */
export interface CertificateReference {
  path: string
  server_names: string[]
}

/** The files of a configuration, read and parsed: those that an `include` names, in nginx's order, each with its statements. */
export type Included = (pattern: string) => readonly (readonly Directive[])[]

interface Placed {
  directive: Directive
  /** The files that lead to it. */
  within: readonly (readonly Directive[])[]
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
// Files that include each other many times over are more than any host has.
const mostStatements = 1_000_000

/** The patterns of every `include` in a file, at whatever depth. Source: nginx, ngx_conf_include. */
export function includePatterns(directives: readonly Directive[]): string[] {
  return directives.flatMap(({ name, args, block }) => [
    ...(name === 'include' && args[0] ? [args[0].value] : []),
    ...(block?.kind === 'directives' ? includePatterns(block.directives) : []),
  ])
}

/**
 * The certificate files that a configuration names, each once, in nginx's order. What an included file says counts where the `include`
 * stands, so a server keeps its names. Source: nginx, ngx_http_ssl_module.
 */
export function certificateReferences(main: readonly Directive[], included: Included): CertificateReference[] {
  const names = new Map<string, Set<string>>()
  let left = mostStatements

  function expand(directives: readonly Directive[], within: readonly (readonly Directive[])[]): Placed[] {
    return directives.flatMap((directive) => {
      if (--left < 0) return []
      const [pattern] = directive.args
      if (directive.name !== 'include' || !pattern) return [{ directive, within }]
      // A file that includes itself, which nginx refuses, is not followed again.
      return included(pattern.value).flatMap((file) => (within.includes(file) ? [] : expand(file, [...within, file])))
    })
  }

  function collect(level: readonly Placed[], outer: readonly string[]): void {
    const own = level.flatMap(({ directive: { name, args } }) => (name === 'server_name' ? args.map(({ value }) => value) : []))
    const here = own.length > 0 ? own : outer
    for (const { directive, within } of level) {
      const path = directive.args[0]?.value
      // What nginx takes from an engine or a variable is no file that can be read here.
      if (naming.has(directive.name) && path !== undefined && !/^(data|engine|store):/.test(path)) {
        const known = names.get(path) ?? new Set()
        for (const one of here) known.add(one)
        names.set(path, known)
      }
      if (directive.block?.kind === 'directives') collect(expand(directive.block.directives, within), here)
    }
  }

  collect(expand(main, [main]), [])
  return [...names].map(([path, servers]) => ({ path, server_names: [...servers] }))
}
