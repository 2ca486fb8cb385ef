import type { AgentConfig } from '@nxmesh/model/agent-config'
import type { Settings } from '@nxmesh/model/settings'
import type { Upstream } from '@nxmesh/model/upstream'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import { fullSupport } from '../facts.ts'
import { type Directive, parse } from '../parse.ts'
import type { LineSource } from '../render/writer.ts'
import { render } from '../render.ts'
import { placed, type Statement, statement } from './statement.ts'

/** By id. */
export type Upstreams = ReadonlyMap<string, Upstream>

interface OptionStatements {
  server: Statement[]
  /** In locations that an option makes for itself. */
  elsewhere: Statement[]
  /** By the place of the location in the virtual host. */
  locations: ReadonlyMap<number, Statement[]>
}

// Read from the objects themselves, where the path is exact.
const readFromHost =
  /^(server_name|listen_port|ssl_certificate_id|http2_enabled|custom_directives\..*|locations\.\d+(\.(path|proxy_pass|root|index|(custom_headers|rewrite_rules|custom_directives)(\..*)?))?)$/
const readFromSettings = /^(nginx_directives|env_vars)\./

/**
 * The directives that the options of a virtual host become when it is rendered, each with the option's path. So whatever an option
 * comes to, the rules see it as nginx does.
 */
export function hostOptions(host: VirtualHost, upstreams: Upstreams, settings: Settings): OptionStatements {
  const found = { server: [] as Statement[], elsewhere: [] as Statement[], locations: new Map<number, Statement[]>() }
  for (const { directive, source, around } of renderedFrom(configOf(host, upstreams, settings))) {
    const { kind, id, field } = source
    if (kind !== 'virtual_host' || id !== host.id || field === undefined || readFromHost.test(field)) continue
    const at = /^locations\.(\d+)\./.exec(field)?.[1]
    const isOwn = at === undefined && around !== undefined
    const statements = placed(directive, field, isOwn ? [around] : [])
    if (at !== undefined) found.locations.set(Number(at), [...(found.locations.get(Number(at)) ?? []), ...statements])
    else (isOwn ? found.elsewhere : found.server).push(...statements)
  }
  return found
}

/** The directives that the options of the settings become in the http block. */
export function settingsOptions(settings: Settings): Statement[] {
  return renderedFrom({ virtual_hosts: [], upstreams: [], certificates: {}, settings }).flatMap(({ directive, source: { kind, field } }) =>
    kind !== 'settings' || field === undefined || readFromSettings.test(field) ? [] : placed(directive, field, []),
  )
}

interface RenderedDirective {
  directive: Directive
  source: LineSource
  /** The location that it stands in. */
  around: Statement | undefined
}

/** Every directive that is rendered for something, in server blocks and locations too. */
function renderedFrom(config: AgentConfig): RenderedDirective[] {
  const rendered = render(config, reference)
  const parsed = parse(rendered.files.find(({ path }) => path === 'http.conf')?.text ?? '')
  const collect = (directives: readonly Directive[], around?: Statement): RenderedDirective[] =>
    directives.flatMap((directive) => {
      const isLevel = directive.name === 'server' || directive.name === 'location'
      if (isLevel && directive.block?.kind === 'directives') {
        const location = statement(
          'location',
          directive.args.map(({ value }) => value),
          '',
        )
        return collect(directive.block.directives, directive.name === 'location' ? location : undefined)
      }
      const source = rendered.sources('http.conf', directive.line)
      return source ? [{ directive, source, around }] : []
    })
  return parsed.ok ? collect(parsed.tree.directives) : []
}

/** An nginx that can do everything, so that every option is written. */
const reference = {
  facts: { supports: fullSupport, version: '1.30.0', modules: {} },
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
