import type { ConfigStreamHost, ConfigUpstream, ConfigVirtualHost } from '@nxmesh/model/agent-config'
import type { ImportCertificate, ImportLine } from '@nxmesh/model/import'
import type { Settings } from '@nxmesh/model/settings'
import { definedBySettings } from '../defined-names.ts'
import { type Allowed, nothingMore } from '../directive-rules.ts'
import { usedIn } from '../shared-names.ts'
import type { CertificateUse, FindCertificate } from './certificate-use.ts'
import { clashingNames, emptyVariables, type Present } from './empty-names.ts'
import { headersWithin } from './header-sets.ts'
import type { Sources } from './includes.ts'
import { type Ledger, linesOf, noteWhole } from './ledger.ts'
import { portsOf } from './listen.ts'
import { type LostNames, lostNames, usesLost } from './lost-names.ts'
import { importMail } from './mail.ts'
import { namedByVariables } from './named-by-variables.ts'
import { folderOf } from './path.ts'
import { importServer, type ServerContext } from './server.ts'
import { importSettings } from './settings.ts'
import type { Include, SourceDirective } from './source.ts'
import { importStreams } from './stream.ts'
import { everything } from './text.ts'
import { passedTo, readUpstream } from './upstreams.ts'

/** What a configuration becomes. */
export interface Imported {
  virtual_hosts: ConfigVirtualHost[]
  stream_hosts: ConfigStreamHost[]
  upstreams: ConfigUpstream[]
  settings: Settings
  certificates: ImportCertificate[]
  lines: ImportLine[]
}

export interface ImportOptions {
  newId: () => string
  findCertificate: FindCertificate
  allowed?: Allowed
  /** The workspace that it is for. */
  present?: Present
  /** Why the mail block cannot be taken over. */
  mailObstacle?: string | undefined
}

/** Directives of the http block that NxMesh writes in each server, where they would hide those above. */
const writtenInServers = new Set(['root', 'proxy_http_version', 'http2', 'http3'])
const empty = { add_header: [], proxy_set_header: [] }

/**
 * Turns a configuration, as it was read, into virtual hosts, stream hosts, upstreams and settings. A server is taken whole or not at all: what the
 * fields of an object do not hold is kept as it is, in its place. There is a line for each directive that says what became of it.
 */
export function importConfig(sources: Sources, options: ImportOptions): Imported {
  const clashing = options.present ? clashingNames(within(sources, 'http'), options.present) : new Map<string, string>()
  let lost: Lost = { http: clashing, stream: new Map() }
  for (let pass = 1; ; pass++) {
    const ledger: Ledger = new Map()
    const imported = importWithout(lost, sources, options, ledger)
    const next = lostBy(sources, imported, ledger, clashing)
    if (pass === mostPasses || (next.http.size === lost.http.size && next.stream.size === lost.stream.size)) return imported
    lost = next
  }
}

/** What cannot be taken over may define what others use, which then cannot be taken over either. Chains of it are short. */
const mostPasses = 10

/** What is left out and was defined: in the http block and in the stream block, which share no names. */
interface Lost {
  http: LostNames
  stream: LostNames
}

function lostBy({ directives }: Sources, { settings }: Imported, ledger: Ledger, clashing: LostNames): Lost {
  const inBlock = (wanted: string) => directives.filter(({ name }) => name === wanted || name === 'load_module')
  const http = lostNames(inBlock('http'), ledger, definedBySettings(settings))
  return { http: new Map([...clashing, ...http]), stream: lostNames(inBlock('stream'), ledger, new Set()) }
}

function within({ directives }: Sources, name: string): SourceDirective[] {
  return directives.filter((directive) => directive.name === name && directive.block).flatMap(({ block = [] }) => block)
}

function importWithout(
  lost: Lost,
  sources: Sources,
  { newId, findCertificate, allowed = nothingMore, mailObstacle }: ImportOptions,
  ledger: Ledger,
): Imported {
  const { directives, read } = sources
  const blocks = (name: string) => directives.filter((directive) => directive.name === name && directive.block)
  const http = within(sources, 'http')
  const servers = http.filter(({ name, block }) => name === 'server' && block)
  for (const block of [...blocks('http'), ...blocks('events'), ...blocks('stream'), ...blocks('mail')])
    ledger.set(block, { outcome: 'replaced', message: 'NxMesh writes this block itself' })
  const upstreams = importUpstreams(http, servers, newId, ledger, lost.http)
  const certificates: CertificateUse = {
    find: findCertificate,
    folder: folderOf(read[0] ?? '/etc/nginx/nginx.conf'),
    around: http.filter(({ name }) => name.startsWith('ssl_certificate')),
    used: new Map(),
  }
  const context: ServerContext = {
    ports: portsOf(servers),
    claims: new Map(),
    hostNames: new Set(),
    headers: headersWithin(http, empty),
    inherited: new Map(http.filter(({ name }) => writtenInServers.has(name)).map((directive) => [directive.name, directive])),
    upstreamIds: new Map(upstreams.map(({ name, id }) => [name.toLowerCase(), id])),
    certificates,
    newId,
    allowed,
    lost: lost.http,
    ledger,
  }
  const hosts = servers.flatMap((server) => importServer(server, context))
  noteInherited(http, ledger)
  const stream = within(sources, 'stream')
  const streams = importStreams(stream, { newId, certificates, lost: lost.stream, ledger })
  const settings = importSettings(
    {
      main: directives.filter(({ name }) => !['http', 'events', 'stream', 'mail'].includes(name)),
      events: within(sources, 'events'),
      http: http.filter((directive) => directive.name !== 'server'),
    },
    { allowed, lost: lost.http },
    ledger,
  )
  const mail_directives = importMail(within(sources, 'mail'), mailObstacle, ledger)
  const virtual_hosts = hosts.map(({ host }) => host)
  const unset = emptyVariables(http, virtual_hosts, usedIn(settings.nginx_directives, settings.extra_directives))
  const extra_directives = [...(settings.extra_directives ?? []), ...unset]
  const streamHosts = streams.stream_hosts.map((host) => ({ ...host, server_name: '', locations: [] }))
  const stream_directives = [...streams.stream_directives, ...emptyVariables(stream, streamHosts, usedIn({}, streams.stream_directives))]
  return {
    virtual_hosts,
    stream_hosts: streams.stream_hosts,
    upstreams: [...upstreams, ...streams.upstreams],
    settings: {
      ...settings,
      ...(extra_directives.length > 0 && { extra_directives }),
      ...(stream_directives.length > 0 && { stream_directives }),
      ...(mail_directives.length > 0 && { mail_directives }),
    },
    certificates: [...certificates.used].map(([path, { server_names, id }]) => ({ path, server_names, certificate_id: id ?? null })),
    lines: inOrderOfReading([...linesOf(ledger, directives), ...sources.includes.flatMap(lineOf)], read),
  }
}

/** An upstream becomes an object where its fields can hold it and a location names it alone; one that is named otherwise stays in the settings, too. */
function importUpstreams(
  http: readonly SourceDirective[],
  servers: readonly SourceDirective[],
  newId: () => string,
  ledger: Ledger,
  lost: LostNames,
): ConfigUpstream[] {
  const { byLocation, otherwise } = namedIn(servers)
  const byVariable = namedByVariables(http)
  const found: ConfigUpstream[] = []
  for (const directive of http.filter(({ name, block }) => name === 'upstream' && block)) {
    const name = directive.args[0] ?? ''
    const read = readUpstream(directive)
    const isKept = otherwise.has(name.toLowerCase()) || byVariable(name.toLowerCase())
    if (!read.ok || usesLost(directive, lost) || (isKept && !byLocation.has(name.toLowerCase()))) continue
    found.push({ id: newId(), ...read.upstream })
    if (!isKept) noteWhole(ledger, directive, { outcome: 'imported', object: { kind: 'upstream', name } })
  }
  return found
}

function namedIn(servers: readonly SourceDirective[]): { byLocation: Set<string>; otherwise: Set<string> } {
  const byLocation = new Set<string>()
  const otherwise = new Set<string>()
  for (const server of servers) {
    const direct = new Set(server.block!.filter(({ name }) => name === 'location').flatMap(({ block = [] }) => block))
    for (const directive of everything(server.block!)) {
      const name = passedTo(directive)
      if (name === undefined) continue
      if (direct.has(directive) && /^http:\/\/[^/?]+$/.test(directive.args[0]!)) byLocation.add(name)
      else otherwise.add(name)
    }
  }
  return { byLocation, otherwise }
}

/** An `include` whose files stand in its place. */
function lineOf({ pattern, files, whole, ...place }: Include): ImportLine[] {
  const message = files.length === 0 ? 'no file matches it' : `stands for ${files.join(', ')}`
  return whole ? [{ ...place, directive: `include ${pattern}`, outcome: 'replaced', message }] : []
}

function inOrderOfReading(lines: ImportLine[], read: readonly string[]): ImportLine[] {
  const at = new Map(read.map((file, index) => [file, index]))
  return lines.toSorted((a, b) => at.get(a.file)! - at.get(b.file)! || a.line - b.line || a.column - b.column)
}

/** What is written into each server is not in the settings. */
function noteInherited(http: readonly SourceDirective[], ledger: Ledger): void {
  for (const directive of http) {
    const { name } = directive
    if (name === 'add_header' || name === 'proxy_set_header' || writtenInServers.has(name) || name.startsWith('ssl_certificate'))
      ledger.set(directive, { outcome: 'imported', message: 'is written into each virtual host that it holds for' })
    else if (name === 'include' && directive.args[0]?.endsWith('mime.types'))
      ledger.set(directive, { outcome: 'replaced', message: 'NxMesh has the usual media types itself' })
  }
}
