import type { AgentConfig } from '@nxmesh/model/agent-config'
import { quote } from '../quote.ts'
import { nameInPass, type ResolvedNames, writtenAddresses } from '../resolved-names.ts'
import { commented } from './comment.ts'
import type { Rendering } from './rendering.ts'

/** A `proxy_pass` or `grpc_pass` to a name, written as one to a block with the addresses of that name. */
export interface NamedProxy {
  name: string
  /** Of its block. */
  block: string
  /** Host and port as the user wrote them: what `$proxy_host` would be. */
  authority: string
  /** What `$proxy_port` would be. */
  port: string
  /** What to write instead. */
  address: string
  /** What redirects of the upstream begin with where they lead to itself, and whether that is in the place of the location's path. */
  origin: string
  replacesPath: boolean
  servers: string[]
}

const written = /^((?:http|grpc)s?:\/\/)([^/?]+)(.*)$/

/** Looks at the address of a `proxy_pass` or `grpc_pass`; undefined where nginx is to read it as it is. */
export function namedProxyOf(address: string, names: ResolvedNames | undefined): NamedProxy | undefined {
  const name = nameInPass(address)
  const [, scheme, authority, rest] = written.exec(address) ?? []
  if (name === undefined || !names?.[name]?.length || scheme === undefined || authority === undefined || rest === undefined)
    return undefined
  const port = /:(\d+)$/.exec(authority)?.[1] ?? (scheme.endsWith('s://') ? '443' : '80')
  const block = `nxmesh_name_${name}_${port}`
  return {
    name,
    block,
    authority,
    port,
    address: `${scheme}${block}${rest}`,
    // Without a path nginx compares with the address and a slash. Source: nginx proxy module, "proxy_redirect".
    origin: rest === '' ? `${address}/` : address,
    replacesPath: rest !== '',
    servers: writtenAddresses(`${name}:${port}`, names),
  }
}

/** Writes a block for each name and port that locations lead to. */
export function renderNamedProxies({ writer, target }: Rendering, { virtual_hosts }: Pick<AgentConfig, 'virtual_hosts'>): void {
  const seen = new Set<string>()
  for (const { proxy_pass, grpc_pass } of virtual_hosts.flatMap((host) => host.locations)) {
    const proxy = namedProxyOf(proxy_pass ?? grpc_pass ?? '', target.names)
    if (!proxy || seen.has(proxy.block)) continue
    seen.add(proxy.block)
    writer.from(undefined)
    writer.line(`# ${commented(proxy.name)}`)
    writer.line(`upstream ${quote(proxy.block)} {`)
    for (const server of proxy.servers) writer.line(`    server ${quote(server)};`)
    if (target.facts.supports.keepalive_off) writer.line('    keepalive 0;')
    writer.line('}')
  }
}
