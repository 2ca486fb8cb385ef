import type { AgentConfig } from '@nxmesh/model/agent-config'
import type { Settings } from '@nxmesh/model/settings'
import type { Upstream } from '@nxmesh/model/upstream'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import type { NginxSupport } from '../facts.ts'
import { type Directive, parse } from '../parse.ts'
import type { LineSource } from '../render/writer.ts'
import { render } from '../render.ts'
import { placed, type Statement } from './statement.ts'

/** By id. */
export type Upstreams = ReadonlyMap<string, Upstream>

interface OptionStatements {
  server: Statement[]
  /** By the place of the location in the virtual host. */
  locations: ReadonlyMap<number, Statement[]>
}

// Read from the virtual host itself, where the path is exact.
const readElsewhere =
  /^(server_name|listen_port|ssl_certificate_id|http2_enabled|custom_directives\..*|locations\.\d+(\.(path|proxy_pass|root|index|(custom_headers|rewrite_rules|custom_directives)(\..*)?))?)$/

/**
 * The directives that the options of a virtual host become when it is rendered, each with the option's path. So whatever an option
 * comes to, the rules see it as nginx does.
 */
export function optionStatements(host: VirtualHost, upstreams: Upstreams, settings: Settings): OptionStatements {
  const found = { server: [] as Statement[], locations: new Map<number, Statement[]>() }
  const rendered = render(configOf(host, upstreams, settings), reference)
  const text = rendered.files.find(({ path }) => path === 'http.conf')?.text ?? ''
  const parsed = parse(text)
  if (!parsed.ok) return found
  const collect = (directives: readonly Directive[]): void => {
    for (const directive of directives) {
      const source = rendered.sources('http.conf', directive.line)
      const isLevel = directive.name === 'server' || directive.name === 'location'
      if (isLevel && directive.block?.kind === 'directives') collect(directive.block.directives)
      else if (isOption(source, host)) for (const each of placed(directive, source.field, [])) put(found, each)
    }
  }
  collect(parsed.tree.directives)
  return found
}

function isOption(source: LineSource | undefined, host: VirtualHost): source is LineSource & { field: string } {
  return source?.kind === 'virtual_host' && source.id === host.id && source.field !== undefined && !readElsewhere.test(source.field)
}

function put({ server, locations }: { server: Statement[]; locations: Map<number, Statement[]> }, statement: Statement): void {
  const at = /^locations\.(\d+)\./.exec(statement.field)?.[1]
  if (at === undefined) server.push(statement)
  else locations.set(Number(at), [...(locations.get(Number(at)) ?? []), statement])
}

const supports: NginxSupport = {
  ssl: true,
  http2: true,
  http2_directive: true,
  http3: true,
  reject_handshake: true,
  stub_status: true,
  keepalive_off: true,
  upstream_resolve: true,
  error_log_option: true,
  realip: true,
  brotli: true,
}

/** An nginx that can do everything, so that every option is written. */
const reference = {
  facts: { supports, version: '1.30.0' },
  mode: 'owned',
  digest: 'lint',
  runtime_directory: '/run/nxmesh',
  ipv6: false,
} as const

function configOf(host: VirtualHost, upstreams: Upstreams, settings: Settings): AgentConfig {
  const used = new Set(host.locations.flatMap(({ upstream_id }) => (upstream_id === undefined ? [] : (upstreams.get(upstream_id) ?? []))))
  const id = host.ssl_certificate_id
  // The files of a certificate are named, never read.
  const material = { domain: '', certificate_pem: '-', private_key_pem: '-', expires_at: 0 }
  return {
    virtual_hosts: [host],
    upstreams: [...used],
    certificates: id === null ? {} : { [id]: { id, ...material } },
    settings: { nginx_directives: {}, env_vars: {}, ...(settings.tls_policy === undefined ? {} : { tls_policy: settings.tls_policy }) },
  }
}
