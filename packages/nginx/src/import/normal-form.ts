import { dataBlocks } from '../data-blocks.ts'
import { dollarVariable, quote } from '../quote.ts'
import { familyOf } from './families.ts'
import { type HeaderLevels, headersWithin } from './header-sets.ts'
import { listensOf, placeOf, portsOf, readListen } from './listen.ts'
import { withSslInListen } from './mail-ssl.ts'
import { namedByVariables } from './named-by-variables.ts'
import { type Claims, claim, namesOf } from './names.ts'
import { answersNobody, rejectsStrangers } from './nobody.ts'
import { absolute } from './path.ts'
import { replacedBecause } from './replaced.ts'
import type { SourceDirective } from './source.ts'
import { readStreamListen, streamPlaceOf } from './stream-listen.ts'
import { unreachedLocations } from './unreached.ts'

/** What a configuration says, by block: its statements in an order of their own where their order says nothing. */
export type NormalForm = Map<string, string[]>

/** How the names of a configuration are to be read: those of its upstreams and certificate files as those of the other that it is compared with. */
export interface Reading {
  upstreams: ReadonlyMap<string, string>
  certificates: ReadonlyMap<string, string>
  /** Of the main file. */
  folder: string
}

const empty: HeaderLevels = { add_header: [], proxy_set_header: [] }
/** Set in each server by NxMesh, and so compared there. */
const comparedInServers = new Set(['root', 'proxy_http_version', 'http2', 'http3'])
const listening = new Set([
  'listen',
  'server_name',
  'ssl',
  'http2',
  'http3',
  'ssl_certificate',
  'ssl_certificate_key',
  'location',
  'add_header',
  'proxy_set_header',
])

/** Brings a configuration into the form in which two are compared; what NxMesh needs for itself is not part of it. */
export function normalForm(directives: readonly SourceDirective[], reading: Reading): NormalForm {
  const form: NormalForm = new Map()
  const within = (name: string) => directives.filter((directive) => directive.name === name).flatMap(({ block = [] }) => block)
  put(
    form,
    'main',
    directives.filter(({ name }) => !['http', 'events', 'stream', 'mail', 'load_module'].includes(name)),
    reading,
  )
  put(form, 'events', within('events'), reading)
  const http = within('http')
  const servers = http.filter(({ name, block }) => name === 'server' && block && !isPrivate(block))
  const upstreams = http.filter(({ name }) => name === 'upstream')
  const apart = new Set<SourceDirective>([...servers, ...upstreams])
  put(
    form,
    'http',
    http.filter((directive) => !apart.has(directive) && directive.name !== 'server' && !isApart(directive)),
    reading,
  )
  // Variables hold the names of upstreams as they are written: an object has another.
  const isNamed = namedByVariables(http)
  for (const {
    args: [name = ''],
  } of upstreams)
    if (!name.startsWith('nxmesh_') && isNamed(name.toLowerCase())) form.get('http')!.push(`upstream ${name} for variables`)
  for (const { args, block = [] } of upstreams) {
    const name = reading.upstreams.get(args[0]!) ?? args[0]!
    // One that is an object and stays in the settings, too, is one all the same.
    if (form.has(`upstream ${name}`)) continue
    put(
      form,
      `upstream ${name}`,
      block.filter(({ name: own }) => own !== 'zone'),
      reading,
    )
  }
  putServers(form, servers, http, reading)
  putStreams(form, within('stream'), reading)
  putMail(form, within('mail'), reading)
  return form
}

function isApart({ name, args }: SourceDirective): boolean {
  if (comparedInServers.has(name) || name === 'add_header' || name === 'proxy_set_header' || name.startsWith('ssl_certificate')) return true
  if (name === 'access_log') return true
  return (name === 'map' || name === 'geo' || name === 'log_format') && args.some((argument) => /^\$?nxmesh(_|$)/.test(argument))
}

/** The server by which an agent asks its nginx. */
function isPrivate(block: readonly SourceDirective[]): boolean {
  const listens = block.some(({ name, args }) => name === 'listen' && /^unix:.*\/nginx\.sock$/.test(args[0] ?? ''))
  return listens && block.some(({ name, args }) => name === 'location' && args.join(' ') === '= /digest')
}

function putServers(form: NormalForm, servers: readonly SourceDirective[], within: readonly SourceDirective[], reading: Reading): void {
  const ports = portsOf(servers)
  const claims: Claims = new Map()
  // Each server looks through them, so what may be as many as they are is none of them.
  const http = within.filter(({ name }) => name !== 'server' && name !== 'upstream')
  const outer = headersWithin(http, empty)
  for (const server of servers) {
    if (answersNobody(server, ports)) continue
    const block = server.block!
    const { names } = namesOf(server)
    const levels = headersWithin(block, outer)
    const unreached = unreachedLocations(block)
    const locations = block.filter((directive) => directive.name === 'location' && !unreached.has(directive))
    const inherited = http.filter(({ name }) => comparedInServers.has(name) && !block.some((own) => own.name === name))
    const certificate = [...block, ...http].find(({ name }) => name === 'ssl_certificate')?.args[0]
    for (const place of new Set(listensOf(server).map(placeOf))) {
      const { tls, http2, proxyProtocol, defaultServer } = ports.get(place)!
      if (tls && rejectsStrangers(server, ports)) continue
      const own = listensOf(server).filter((listen) => placeOf(listen) === place)
      const { free } = claim(claims, place, defaultServer === server ? [...names, '_'] : names, '')
      if (free.length === 0) continue
      const context = `server ${free.toSorted().join(' ')}:${place}`
      const statements = [...inherited, ...block].filter(({ name }) => !listening.has(name) && (tls || !name.startsWith('ssl_')))
      put(form, context, statements, reading)
      const said = form.get(context)!
      const on = (name: string, of = block) => [...of, ...http].find((directive) => directive.name === name)?.args[0]
      if (http2 || on('http2', tls ? block : defaultServer.block) === 'on') said.push('http2 on')
      if (proxyProtocol) said.push('proxy_protocol of clients')
      if (tls) {
        said.push('ssl on')
        if (certificate !== undefined)
          said.push(`ssl_certificate ${quote(reading.certificates.get(absolute(certificate, reading.folder)) ?? certificate)}`)
        if (own.some(({ quic }) => quic) && on('http3') !== 'off') said.push('http3 on')
      }
      for (const header of levels.add_header) said.push(statementOf(header, reading))
      for (const location of locations) putLocation(form, context, location, levels, reading)
    }
    // Where no virtual host can listen NxMesh writes nothing, so all of it counts.
    for (const listen of block.filter(({ name, args }) => name === 'listen' && !readListen(args).ok)) {
      const context = `server ${names.length > 0 ? names.toSorted().join(' ') : '_'} on ${listen.args.join(' ')}`
      const statements = block.filter(({ name }) => name !== 'listen' && name !== 'server_name')
      put(form, context, listensOf(server).length > 0 ? [listen] : [listen, ...statements], reading)
    }
  }
}

function putStreams(form: NormalForm, stream: readonly SourceDirective[], reading: Reading): void {
  const apart = (name: string) => name === 'server' || name === 'upstream' || name.startsWith('ssl_certificate')
  if (stream.length > 0) {
    const common = stream.filter((directive) => !apart(directive.name) && !isOurStream(directive))
    put(form, 'stream', common, reading)
  }
  for (const { name: kind, args, block = [] } of stream) {
    const name = reading.upstreams.get(args[0] ?? '') ?? args[0] ?? ''
    // A server that is named by its address alone says the same as an upstream of it.
    const isAddress = block.every((own) => own.name === 'zone' || (own.name === 'server' && own.args.length === 1 && own.args[0] === name))
    if (kind !== 'upstream' || isAddress || form.has(`stream upstream ${name}`)) continue
    put(
      form,
      `stream upstream ${name}`,
      block.filter((own) => own.name !== 'zone'),
      reading,
    )
  }
  for (const { name, block } of stream) if (name === 'server' && block) putStreamServer(form, block, stream, reading)
}

function putMail(form: NormalForm, mail: readonly SourceDirective[], reading: Reading): void {
  const common = mail.filter(({ name }) => name !== 'server' && name !== 'ssl')
  if (mail.length > 0) put(form, 'mail', common, reading)
  for (const server of mail) {
    if (server.name !== 'server' || !server.block) continue
    const { block = [] } = withSslInListen(server, mail)
    put(form, `mail server on ${wordsOf(block, 'listen')}`, block, reading)
  }
}

/** What NxMesh needs in the block for itself. */
function isOurStream({ name, args }: SourceDirective): boolean {
  return (
    name === 'ssl_session_timeout' || name === 'ssl_session_tickets' || (name === 'limit_conn_zone' && /nxmesh_stream/.test(args.join(' ')))
  )
}

function putStreamServer(form: NormalForm, block: readonly SourceDirective[], stream: readonly SourceDirective[], reading: Reading): void {
  const listens = block.filter(({ name }) => name === 'listen').flatMap(({ args }) => readStreamListen(args))
  const usable = listens.filter((listen) => typeof listen !== 'string')
  const certificate = [...block, ...stream].find(({ name }) => name === 'ssl_certificate')?.args[0]
  if (usable.length < listens.length || listens.length === 0) put(form, `stream server on ${wordsOf(block, 'listen')}`, block, reading)
  for (const port of new Set(usable.map(streamPlaceOf))) {
    const own = usable.filter((listen) => streamPlaceOf(listen) === port)
    const ssl = own.some((listen) => listen.ssl)
    const statements = block.filter(
      ({ name }) => name !== 'listen' && !name.startsWith('ssl_certificate') && (ssl || name === 'ssl_preread' || !name.startsWith('ssl_')),
    )
    put(form, `stream server ${port}`, statements, reading)
    const said = form.get(`stream server ${port}`)!
    if (own.some(({ proxyProtocol }) => proxyProtocol)) said.push('proxy_protocol of clients')
    if (ssl && certificate !== undefined)
      said.push(`ssl_certificate ${quote(reading.certificates.get(absolute(certificate, reading.folder)) ?? certificate)}`)
  }
}

function wordsOf(block: readonly SourceDirective[], wanted: string): string {
  return block.flatMap(({ name, args }) => (name === wanted ? [args.join(' ')] : [])).join(', ')
}

function putLocation(form: NormalForm, context: string, location: SourceDirective, inherited: HeaderLevels, reading: Reading): void {
  const block = location.block ?? []
  if (block.some(({ name }) => name === 'stub_status')) return
  const levels = headersWithin(block, inherited)
  const proxies = block.some(({ name }) => name === 'proxy_pass')
  const own = block.filter(({ name }) => name !== 'add_header' && name !== 'proxy_set_header')
  const headers = [...levels.add_header.filter(({ args }) => args[1] !== ''), ...(proxies ? levels.proxy_set_header : [])]
  const at = `${context} location ${location.args.join(' ').replace(/^(=|\^~|~\*|~(?!\*))(?! )/, '$1 ')}`
  put(form, at, [...own.map((child) => withInherited(child, levels)), ...headers], reading)
  if (proxies && !levels.proxy_set_header.some(({ args }) => args[0]?.toLowerCase() === 'host')) {
    const host = /^https?:\/\/([^/?]*)/.exec(block.find(({ name }) => name === 'proxy_pass')?.args[0] ?? '')?.[1] ?? '$'
    form
      .get(at)!
      .push(
        `proxy_set_header Host ${quote(host.includes('$') || host.startsWith('unix:') ? '$proxy_host' : (reading.upstreams.get(host) ?? host))}`,
      )
  }
}

/** A nested location with the request headers that hold in it. */
function withInherited(directive: SourceDirective, inherited: HeaderLevels): SourceDirective {
  const { name, block } = directive
  if (name !== 'location' || !block) return directive
  const levels = headersWithin(block, inherited)
  const proxies = block.some((child) => child.name === 'proxy_pass')
  const others = block.filter((child) => child.name !== 'proxy_set_header').map((child) => withInherited(child, levels))
  return { ...directive, block: [...others, ...(proxies ? levels.proxy_set_header : [])] }
}

function put(form: NormalForm, context: string, directives: readonly SourceDirective[], reading: Reading): void {
  const said = form.get(context) ?? []
  const ordered = new Map<string, string[]>()
  for (const directive of directives) {
    const { name, args, block } = directive
    if (replacedBecause(name, args) !== undefined || name === 'include') continue
    if (name === 'types') said.push(...typesOf(block ?? []))
    else {
      const family = familyOf(name)
      const all = ordered.get(family)
      if (all) all.push(statementOf(directive, reading))
      else ordered.set(family, [statementOf(directive, reading)])
    }
  }
  // The order of a family is told by the number before each of its statements; one alone, or one of which order says nothing, needs none.
  for (const [family, statements] of ordered) {
    const counts = (family === 'rewrite' || family === 'access') && statements.length > 1
    said.push(...statements.map((statement, at) => (counts ? `${family} ${at + 1}: ${statement}` : statement)))
  }
  form.set(context, said)
}

function typesOf(block: readonly SourceDirective[]): string[] {
  return block.flatMap(({ name, args }) => args.map((extension) => `types ${quote(name)} ${quote(extension)}`))
}

function statementOf(directive: SourceDirective, reading: Reading): string {
  const { name, block } = directive
  const args = directive.args.map((argument) => argument.replaceAll(`\${${dollarVariable}}`, '$'))
  const words = [name, ...argumentsOf(name, args, reading)].map(quote).join(' ')
  if (directive.lua !== undefined) return `${words} {${directive.lua}}`
  if (!block) return words
  const inner = block
    .filter((child) => dataBlocks.has(name) || replacedBecause(child.name, child.args) === undefined)
    .map((child) => statementOf(child, reading))
  return `${words} { ${inner.join('; ')} }`
}

function argumentsOf(name: string, args: string[], reading: Reading): string[] {
  if (name.endsWith('_pass') && args[0] !== undefined) {
    const [, scheme = '', host = '', rest = ''] = /^([a-z]+:\/\/)?([^/?]*)(.*)$/s.exec(args[0]) ?? []
    const own = reading.upstreams.get(host) ?? host
    return [`${scheme}${/[$/]|^unix:/.test(own) ? own : own.toLowerCase()}${rest}`, ...args.slice(1)]
  }
  // The defaults of an upstream's server may be said or not.
  if (name === 'server')
    return args
      .map((argument) => argument.replace(/^(fail_timeout=\d+)$/, '$1s'))
      .filter((argument) => !/^(weight=1|max_fails=1|fail_timeout=10s)$/.test(argument))
  return args
}
