import type { ConfigStreamHost, ConfigUpstream } from '@nxmesh/model/agent-config'
import { streamHostInput } from '@nxmesh/model/stream-host'
import { isServerAddress, upstreamInput } from '@nxmesh/model/upstream'
import { checkStreamHost } from '../check-stream.ts'
import { type CertificateUse, useCertificate } from './certificate-use.ts'
import { keep } from './families.ts'
import { type Entry, type Ledger, noteWhole } from './ledger.ts'
import type { Obstacle } from './location.ts'
import { type LostNames, usesLost } from './lost-names.ts'
import { noteKept } from './nested.ts'
import { replacedBecause } from './replaced.ts'
import type { SourceDirective } from './source.ts'
import { readStreamListen, type StreamPlace, streamPlacesOf } from './stream-listen.ts'

/** What a server of a stream block is read with. */
export interface StreamContext {
  /** By the name of the block, or the address where there is none; grows by those that a server names by address. */
  upstreams: Map<string, ConfigUpstream>
  certificates: CertificateUse
  newId: () => string
  lost: LostNames
  ledger: Ledger
}

const fields = new Set(['listen', 'proxy_pass', 'ssl_certificate', 'ssl_certificate_key'])

/** Reads a server of a stream block into stream hosts, one for each port and what is alike of its addresses: whole, or not at all. */
export function importStreamServer(server: SourceDirective, context: StreamContext): ConfigStreamHost[] {
  const ledger: Ledger = new Map()
  const read = readServer(server, context, ledger)
  if (Array.isArray(read)) {
    for (const [directive, entry] of ledger) context.ledger.set(directive, entry)
    return read
  }
  const { directive, message } = read
  noteWhole(context.ledger, server, { outcome: 'left_out', message: `its server is left out: ${message}` })
  if (directive !== server) context.ledger.set(directive, { outcome: 'left_out', message })
  return []
}

function readServer(server: SourceDirective, context: StreamContext, ledger: Ledger): ConfigStreamHost[] | Obstacle {
  const block = server.block!
  const places = streamPlacesOf(server)
  if (!Array.isArray(places)) return places
  if (places.length === 0) return { directive: server, message: 'it listens nowhere' }
  const missing = usesLost(server, context.lost)
  if (missing) return missing
  const pass = block.find(({ name }) => name === 'proxy_pass')
  const upstream = pass && upstreamFor(pass.args[0] ?? '', context)
  const speaksTls = places.some(({ ssl }) => ssl)
  const hosts: ConfigStreamHost[] = []
  for (const listen of places) {
    const name = nameOf(listen)
    const entry = (outcome: Entry['outcome'], field: string, message?: string): Entry => ({
      outcome,
      object: { kind: 'stream_host', name },
      field,
      ...(message !== undefined && { message }),
    })
    const certificate = useCertificateOf(server, listen, context)
    if (certificate && certificate.id === undefined) return { directive: certificate.directive ?? server, message: certificate.message }
    const kept = block.filter((directive) => isKept(directive, listen.ssl) || (directive === pass && !upstream))
    const { custom_directives, extra_directives, fields: written } = keep(kept)
    const read = streamHostInput.safeParse({
      name,
      protocol: listen.protocol,
      // In name only where it listens on sockets.
      listen_port: listen.port || 1,
      ...(listen.addresses && { listen_addresses: listen.addresses }),
      upstream_id: upstream?.id,
      ssl_enabled: listen.ssl,
      ssl_certificate_id: certificate?.id ?? null,
      ...(listen.proxyProtocol && { accept_proxy_protocol: {} }),
      custom_directives,
      ...(extra_directives.length > 0 && { extra_directives }),
    })
    if (!read.success)
      return { directive: server, message: read.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`)[0]! }
    const [problem] = checkStreamHost(read.data, upstream)
    if (problem) {
      const culprit = [...written].find(([, field]) => field === problem.field)?.[0]
      return { directive: culprit ?? pass ?? server, message: problem.message }
    }
    ledger.set(server, { outcome: 'imported', object: { kind: 'stream_host', name } })
    for (const directive of block) noteField(directive, { ledger, entry, upstream, listen, speaksTls })
    if (certificate?.id !== undefined && certificate.message !== undefined && block.includes(certificate.directive))
      ledger.set(certificate.directive, entry('imported', 'ssl_certificate_id', certificate.message))
    for (const [directive, field] of written) noteKept(ledger, directive, entry('kept', field))
    const { target_agents: _all, ...host } = read.data
    hosts.push({ id: context.newId(), ...host })
  }
  return hosts
}

/** The upstream that a `proxy_pass` names, or one of the single server that it leads to; undefined where a variable decides. */
function upstreamFor(pass: string, { upstreams, newId }: StreamContext): ConfigUpstream | undefined {
  const known = upstreams.get(pass)
  if (known || pass.includes('$') || !isServerAddress(pass) || !/:\d+$|^unix:/.test(pass)) return known
  const upstream = { id: newId(), ...upstreamInput.parse({ name: pass, servers: [{ address: pass }] }) }
  upstreams.set(pass, upstream)
  return upstream
}

function nameOf({ protocol, port, addresses }: StreamPlace): string {
  if (port === 0) return `${protocol} on ${addresses![0]}`
  return addresses ? `${protocol} ${port} on ${addresses[0]}` : `${protocol} ${port}`
}

function useCertificateOf(server: SourceDirective, { ssl }: StreamPlace, { certificates }: StreamContext) {
  return ssl ? useCertificate(server, [], certificates) : undefined
}

function isKept({ name, args }: SourceDirective, ssl: boolean): boolean {
  return !fields.has(name) && replacedBecause(name, args) === undefined && (ssl || name === 'ssl_preread' || !name.startsWith('ssl_'))
}

interface Noting {
  ledger: Ledger
  entry: (outcome: Entry['outcome'], field: string, message?: string) => Entry
  upstream: ConfigUpstream | undefined
  listen: StreamPlace
  /** Whether any place of the server does. */
  speaksTls: boolean
}

function noteField(directive: SourceDirective, { ledger, entry, upstream, listen, speaksTls }: Noting): void {
  const { name, args } = directive
  const because = replacedBecause(name, args)
  const { ssl } = listen
  if (name === 'listen') {
    if (!listen.directives.includes(directive)) return
    const read = readStreamListen(args)
    const { dropped = [], note } = typeof read === 'string' ? {} : read
    const message = dropped.length > 0 ? `${dropped.join(', ')} is left out: the agent decides how sockets are made` : note
    ledger.set(directive, entry('imported', listen.addresses ? 'listen_addresses' : 'listen_port', message))
  } else if (name === 'proxy_pass' && upstream) ledger.set(directive, entry('imported', 'upstream_id'))
  else if (because !== undefined) ledger.set(directive, { outcome: 'replaced', message: because })
  else if (ssl && (name === 'ssl_certificate' || name === 'ssl_certificate_key'))
    ledger.set(directive, entry('imported', 'ssl_certificate_id'))
  else if (!speaksTls && !isKept(directive, ssl) && name !== 'proxy_pass')
    ledger.set(directive, { outcome: 'left_out', message: 'has no effect: no port of this server speaks TLS' })
}
