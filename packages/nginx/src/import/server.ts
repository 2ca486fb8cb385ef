import type { ConfigVirtualHost } from '@nxmesh/model/agent-config'
import type { ImportLine } from '@nxmesh/model/import'
import { everyAddress } from '@nxmesh/model/listen-address'
import type { Location } from '@nxmesh/model/location'
import { virtualHostInput } from '@nxmesh/model/virtual-host'
import { checkVirtualHost } from '../check.ts'
import type { Allowed } from '../directive-rules.ts'
import { type CertificateUse, type UsedCertificate, useCertificate } from './certificate-use.ts'
import { keep } from './families.ts'
import { type HeaderLevels, headersWithin } from './header-sets.ts'
import { type Entry, type Ledger, noteWhole } from './ledger.ts'
import { type Listen, listensOf, type Port, readListen } from './listen.ts'
import { type Obstacle, readLocation } from './location.ts'
import { type LostNames, usesLost } from './lost-names.ts'
import { type Claims, namesOf } from './names.ts'
import { noteKept, spelledOut } from './nested.ts'
import { answersNobody, rejectsStrangers } from './nobody.ts'
import { type Place, placesOf } from './places.ts'
import { refusedBecause } from './refused.ts'
import { replacedBecause } from './replaced.ts'
import type { SourceDirective } from './source.ts'
import { unreachedLocations } from './unreached.ts'

/** What a server is read with: what the http block says, and what the servers before it have taken. */
export interface ServerContext {
  ports: ReadonlyMap<string, Port>
  claims: Claims
  hostNames: Set<string>
  headers: HeaderLevels
  /** Directives of the http block that NxMesh sets in each server, by name. */
  inherited: ReadonlyMap<string, SourceDirective>
  upstreamIds: ReadonlyMap<string, string>
  certificates: CertificateUse
  newId: () => string
  allowed: Allowed
  lost: LostNames
  ledger: Ledger
}

/** A virtual host to be made, and the server that it comes from. */
export interface ImportedHost {
  host: ConfigVirtualHost
  server: SourceDirective
}

const fields = new Set(['listen', 'server_name', 'ssl', 'http2', 'http3', 'ssl_certificate', 'ssl_certificate_key', 'location'])

/** Reads a server block into virtual hosts, one for each port: whole, or not at all. */
export function importServer(server: SourceDirective, context: ServerContext): ImportedHost[] {
  const ledger: Ledger = new Map()
  const read = readServer(server, context, ledger)
  if ('hosts' in read) {
    for (const [directive, entry] of ledger) context.ledger.set(directive, entry)
    return read.hosts.map((host) => ({ host, server }))
  }
  const { directive, message, outcome = 'left_out' } = read
  noteWhole(context.ledger, server, { outcome, message: outcome === 'replaced' ? message : `its server is left out: ${message}` })
  if (directive !== server) context.ledger.set(directive, { outcome, message })
  return []
}

function noPort(server: SourceDirective): Refused {
  const directive = server.block!.find(({ name }) => name === 'listen') ?? server
  const read = readListen(directive.args)
  return { directive, message: read.ok ? 'it listens on no port that a virtual host can have' : read.message }
}

const nobody = 'NxMesh answers names that no virtual host has in this way by itself'

const hostless = 'only requests without the name of a host reach it, which no virtual host can ask for'

type Refused = Obstacle & { outcome?: ImportLine['outcome'] }

function readServer(server: SourceDirective, context: ServerContext, ledger: Ledger): { hosts: ConfigVirtualHost[] } | Refused {
  const block = server.block!
  if (listensOf(server).length === 0) return noPort(server)
  if (answersNobody(server, context.ports)) return { directive: server, message: nobody, outcome: 'replaced' }
  const rejecting = rejectsStrangers(server, context.ports)
  const levels = headersWithin(block, context.headers)
  for (const each of [server, ...levels.add_header, ...levels.proxy_set_header]) {
    const missing = usesLost(each, context.lost)
    if (missing) return missing
  }
  const { names, refused } = namesOf(server)
  const name = hostName(context, names[0] ?? 'default')
  const entry = (outcome: Entry['outcome'], field: string, message?: string): Entry => ({
    outcome,
    object: { kind: 'virtual_host', name },
    field,
    ...(message !== undefined && { message }),
  })
  ledger.set(server, { outcome: 'imported', object: { kind: 'virtual_host', name } })
  const certificate = useCertificate(server, names, context.certificates)
  const obstacle = noteFields(server, { ledger, entry, refused, certificate, rejecting, allowed: context.allowed })
  if (obstacle) return obstacle
  const locations = readLocations(server, levels, context, ledger, entry)
  if (!Array.isArray(locations)) return locations
  const kept = keptOf(server, levels, context)
  const hosts: ConfigVirtualHost[] = []
  const { places: served, taken } = placesOf(server, names, name, context)
  if (taken.length > 0) noteTaken(server, ledger, entry, taken)
  for (const place of served) {
    const { port, addresses, tls, http2, quic, proxyProtocol, speaker, free } = place
    if (tls && rejecting) continue
    if (tls && certificate.id === undefined) return { directive: certificate.directive ?? server, message: certificate.message }
    const here = kept.filter(({ name: directive }) => tls || !directive.startsWith('ssl_'))
    const written = new Map(here.map((directive) => [spelledOut(directive, levels), directive]))
    const { custom_directives, extra_directives, fields: places } = keep([...written.keys()])
    const draft = {
      name: nameAt(name, served, place),
      server_name: free.join(' '),
      // One on unix sockets has a port in name only.
      listen_port: port || (served.find((each) => each.port > 0)?.port ?? 80),
      ...(addresses && { listen_addresses: addresses }),
      ...(proxyProtocol && { accept_proxy_protocol: {} }),
      ssl_enabled: tls,
      ssl_certificate_id: tls ? certificate.id : null,
      http2_enabled: http2 || isOn(speaker, context, 'http2'),
      http3_enabled: tls && quic && !isOff(server, context, 'http3'),
      locations,
      custom_directives,
      ...(extra_directives.length > 0 && { extra_directives }),
    }
    const parsed = virtualHostInput.safeParse(draft)
    if (!parsed.success) {
      const [{ path, message } = { path: [], message: '' }] = parsed.error.issues
      return { directive: server, message: `${path.join('.')} ${message}` }
    }
    const [problem] = checkVirtualHost(parsed.data, context.allowed)
    if (problem) {
      const culprit = [...places].find(([, field]) => field === problem.field)?.[0]
      return { directive: culprit ? written.get(culprit)! : server, message: problem.message }
    }
    for (const [text, field] of places) noteKept(ledger, written.get(text)!, entry('kept', field))
    const { target_agents: _all, ...host } = parsed.data
    hosts.push({ id: context.newId(), ...host })
  }
  if (hosts.length === 0 && rejecting) return { directive: server, message: nobody, outcome: 'replaced' }
  if (hosts.length === 0)
    return {
      directive: server,
      message: names.length > 0 ? 'no request reaches it: all its names are those of servers before it' : hostless,
    }
  return { hosts }
}

function hostName({ hostNames }: ServerContext, wanted: string): string {
  const short = wanted.slice(0, 150)
  let name = short
  for (let copy = 2; hostNames.has(name); copy++) name = `${short} (${copy})`
  hostNames.add(name)
  return name
}

function nameAt(name: string, places: readonly Place[], { port, addresses }: Pick<Place, 'port' | 'addresses'>): string {
  if (places.length === 1) return name
  const alone = places.filter((place) => place.port === port).length === 1
  if (port === 0) return `${name} (${addresses![0]})`
  return `${name} (port ${port}${alone ? '' : ` on ${addresses?.[0] ?? 'all addresses'}`})`
}

function fieldOf({ address }: Listen): string {
  return address === everyAddress ? 'listen_port' : 'listen_addresses'
}

function noteOf({ dropped, note }: Listen): string | undefined {
  return dropped.length > 0 ? `${dropped.join(', ')} is left out: the agent decides how sockets are made` : note
}

interface Noting {
  ledger: Ledger
  entry: (outcome: Entry['outcome'], field: string, message?: string) => Entry
}

function noteFields(
  server: SourceDirective,
  {
    ledger,
    entry,
    refused,
    certificate,
    rejecting,
    allowed,
  }: Noting & { refused: string[]; certificate: UsedCertificate; rejecting: boolean; allowed: Allowed },
): Obstacle | undefined {
  for (const directive of server.block!) {
    const { name, args } = directive
    const because = replacedBecause(name, args)
    if (name === 'listen') {
      const read = readListen(args)
      ledger.set(
        directive,
        read.ok ? entry('imported', fieldOf(read.listen), noteOf(read.listen)) : { outcome: 'left_out', message: read.message },
      )
    } else if (name === 'server_name') {
      const message = refused.length > 0 ? `${refused.join(', ')} cannot be the name of a virtual host` : undefined
      ledger.set(directive, entry('imported', 'server_name', message))
    } else if (name === 'ssl_certificate' || name === 'ssl_certificate_key') {
      const used = directive === certificate.directive || name === 'ssl_certificate_key'
      ledger.set(
        directive,
        used
          ? entry('imported', 'ssl_certificate_id', noteOn(directive, certificate))
          : { outcome: 'left_out', message: 'a virtual host has one certificate' },
      )
    } else if (name === 'ssl') ledger.set(directive, entry('imported', 'ssl_enabled'))
    else if (name === 'http2' || name === 'http3') ledger.set(directive, entry('imported', `${name}_enabled`))
    else if (name === 'add_header' || name === 'proxy_set_header') ledger.set(directive, entry('imported', 'locations'))
    else if (because !== undefined) ledger.set(directive, { outcome: 'replaced', message: because })
    else if (rejecting && name.startsWith('ssl_')) ledger.set(directive, { outcome: 'replaced', message: nobody })
    else if (name !== 'location') {
      const message = refusedBecause(name, args, allowed)
      if (message !== undefined) return { directive, message }
      if (name.startsWith('ssl_'))
        ledger.set(directive, { outcome: 'left_out', message: 'has no effect: no port of this server speaks TLS' })
    }
  }
  return undefined
}

/** What is said of the certificate is not said again of its key. */
function noteOn(directive: SourceDirective, { id, directive: own, message }: UsedCertificate): string | undefined {
  return id !== undefined && directive === own ? message : undefined
}

function noteTaken(server: SourceDirective, ledger: Ledger, entry: Noting['entry'], taken: string[]): void {
  for (const directive of server.block!) {
    if (directive.name === 'server_name')
      ledger.set(directive, entry('imported', 'server_name', `never reached, and so left out: ${taken.join(', ')}`))
  }
}

function readLocations(
  server: SourceDirective,
  inherited: HeaderLevels,
  { upstreamIds, allowed }: ServerContext,
  ledger: Ledger,
  entry: Noting['entry'],
): Location[] | Obstacle {
  const locations: Location[] = []
  const unreached = unreachedLocations(server.block!)
  for (const directive of server.block!) {
    if (directive.name !== 'location') continue
    const message = unreached.get(directive)
    if (message !== undefined) {
      noteWhole(ledger, directive, { outcome: 'left_out', message })
      continue
    }
    if (directive.block?.some(({ name }) => name === 'stub_status')) {
      noteWhole(ledger, directive, { outcome: 'replaced', message: 'the agent reads the counters over a socket of its own' })
      continue
    }
    const at = locations.length
    const placed: Noting['entry'] = (outcome, field, message) => entry(outcome, `locations.${at}.${field}`, message)
    const read = readLocation({ directive, inherited, upstreamIds, allowed, ledger, entry: placed })
    if (!read.ok) return read.obstacle
    locations.push(read.location)
  }
  return locations
}

function keptOf(server: SourceDirective, { add_header }: HeaderLevels, { inherited }: ServerContext): SourceDirective[] {
  const block = server.block!
  const kept = block.filter(
    ({ name, args }) =>
      !fields.has(name) &&
      name !== 'ssl_reject_handshake' &&
      name !== 'add_header' &&
      name !== 'proxy_set_header' &&
      replacedBecause(name, args) === undefined,
  )
  const above = [...inherited]
    .filter(([name]) => !fields.has(name) && !block.some((directive) => directive.name === name))
    .map(([, directive]) => directive)
  return [...above, ...kept, ...add_header]
}

function isOn(server: SourceDirective, context: ServerContext, name: string): boolean {
  return said(server, context, name) === 'on'
}

function isOff(server: SourceDirective, context: ServerContext, name: string): boolean {
  return said(server, context, name) === 'off'
}

function said(server: SourceDirective, { inherited }: ServerContext, name: string): string | undefined {
  return (server.block!.find((directive) => directive.name === name) ?? inherited.get(name))?.args[0]
}
