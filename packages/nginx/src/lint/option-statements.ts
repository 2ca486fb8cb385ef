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
  nested: readonly NestedLocation[]
}

/** A location within others, outermost first. */
export interface NestedLocation {
  /** The place in the virtual host of the location that all of it stands in. */
  at: number
  field: string
  directive: Directive
  /** Those between the two. */
  within: readonly Directive[]
  statements: Statement[]
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
  const nested = new Map<Directive, NestedLocation>()
  for (const { directive, source, around } of renderedFrom(configOf(host, upstreams, settings))) {
    const { kind, id, field } = source
    if (kind !== 'virtual_host' || id !== host.id || field === undefined || readFromHost.test(field)) continue
    const at = /^locations\.(\d+)\./.exec(field)?.[1]
    if (at !== undefined) {
      const place = Number(at)
      const statements = placed(directive, field, [])
      const own = around.at(-1)
      if (around.length < 2 || own === undefined) {
        found.locations.set(place, [...(found.locations.get(place) ?? []), ...statements])
        continue
      }
      const known = nested.get(own)
      if (known) known.statements.push(...statements)
      else nested.set(own, { at: place, field, directive: own, within: around.slice(1, -1), statements })
    } else {
      const [location] = around
      if (location) found.elsewhere.push(...placed(directive, field, [statement('location', valuesOf(location), '')]))
      else found.server.push(...placed(directive, field, []))
    }
  }
  return { ...found, nested: [...nested.values()] }
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
  /** The locations that it stands in, outermost first. */
  around: readonly Directive[]
}

/** Every directive that is rendered for something, in server blocks and locations too. */
function renderedFrom(config: AgentConfig): RenderedDirective[] {
  const rendered = render(config, reference)
  const parsed = parse(rendered.files.find(({ path }) => path === 'http.conf')?.text ?? '')
  const collect = (directives: readonly Directive[], around: readonly Directive[] = []): RenderedDirective[] =>
    directives.flatMap((directive) => {
      const isLevel = directive.name === 'server' || directive.name === 'location'
      if (isLevel && directive.block?.kind === 'directives')
        return collect(directive.block.directives, directive.name === 'location' ? [...around, directive] : [])
      const source = rendered.sources('http.conf', directive.line)
      return source ? [{ directive, source, around }] : []
    })
  return parsed.ok ? collect(parsed.tree.directives) : []
}

function valuesOf({ args }: Directive): string[] {
  return args.map(({ value }) => value)
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
