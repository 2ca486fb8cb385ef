import type { Directive } from './parse.ts'

/** All directives of these names in a file, at whatever depth. */
export function directivesNamed(directives: readonly Directive[], names: ReadonlySet<string>): Directive[] {
  return directives.flatMap((directive) => [
    ...(names.has(directive.name) ? [directive] : []),
    ...(directive.block?.kind === 'directives' ? directivesNamed(directive.block.directives, names) : []),
  ])
}

/** The address and port of a `listen` on a single address; undefined for one on all addresses, or on a unix socket. Source: nginx core module, "listen". */
export function singleAddress(listen: string): { address: string; port: number } | undefined {
  const parts = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d+))?$/.exec(listen)
  if (!parts || /^\d+$/.test(listen)) return undefined
  const [, address, port = '80'] = parts
  return ['*', '0.0.0.0', '[::]'].includes(address!) ? undefined : { address: address!, port: Number(port) }
}
