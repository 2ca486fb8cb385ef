import { documentRoot, requestFilename } from './disk.ts'
import { isOn, setting } from './level.ts'
import { geoValue, mapValue } from './maps.ts'
import type { Node } from './read-config.ts'
import { fastcgiScript } from './request-params.ts'
import { Unsure } from './unsure.ts'
import { headerOf, type Visit } from './visit.ts'

/** What a variable holds now; Unsure where only a running nginx could say. Source: nginx, "Alphabetical index of variables". */
export function variableOf(visit: Visit, name: string, node?: Node): string {
  const set = visit.variables.get(name)
  if (set !== undefined) return set
  const builtIn = Object.hasOwn(constant, name) ? constant[name] : Object.hasOwn(changing, name) ? changing[name] : undefined
  if (builtIn) {
    const value = builtIn(visit)
    if (Object.hasOwn(constant, name)) visit.variables.set(name, value)
    return value
  }
  if (name.startsWith('arg_')) return argument(visit.args, name.slice(4))
  if (name.startsWith('http_')) return headerOf(visit, name.slice(5).replaceAll('_', '-'))
  if (name.startsWith('cookie_')) return cookie(headerOf(visit, 'cookie'), name.slice(7))
  const source = visit.config.http.children.find(
    (child) => ['map', 'geo', 'split_clients'].includes(child.name) && child.args.at(-1)?.toLowerCase() === `$${name}`,
  )
  if (source?.name === 'map') return mapValue(visit, source, name)
  if (source?.name === 'geo') return geoValue(visit, source)
  if (!source && visit.config.declares(name)) return ''
  throw new Unsure(`what $${name} holds`, node)
}

type Reading = (visit: Visit) => string

/** Those that nginx keeps as they were when first asked for. */
const constant: Readonly<Record<string, Reading>> = {
  host: (visit) => (visit.host !== '' ? visit.host : firstName(visit)),
  scheme: ({ incoming }) => incoming.scheme,
  https: ({ incoming }) => (incoming.scheme === 'https' ? 'on' : ''),
  request_uri: ({ unparsed }) => unparsed,
  request: (visit) => `${visit.incoming.method} ${visit.unparsed} ${protocolOf(visit)}`,
  server_protocol: protocolOf,
  remote_addr: ({ source }) => source,
  realip_remote_addr: ({ incoming }) => incoming.source,
  proxy_protocol_addr: ({ incoming }) => incoming.proxied ?? '',
  server_port: ({ incoming }) => `${incoming.port}`,
  content_type: (visit) => headerOf(visit, 'content-type'),
  content_length: (visit) => headerOf(visit, 'content-length'),
}

/** Those that follow the request on its way. */
const changing: Readonly<Record<string, Reading>> = {
  uri: ({ uri }) => uri,
  document_uri: ({ uri }) => uri,
  args: ({ args }) => args,
  query_string: ({ args }) => args,
  // An error page may make another of it.
  request_method: ({ method }) => method,
  is_args: ({ args }) => (args === '' ? '' : '?'),
  server_name: (visit) => firstName(visit),
  fastcgi_script_name: (visit) => fastcgiScript(visit).name,
  fastcgi_path_info: (visit) => fastcgiScript(visit).pathInfo,
  document_root: (visit) => documentRoot(visit),
  request_filename: (visit) => requestFilename(visit),
  server_addr: ({ incoming }) => {
    if (incoming.destination === undefined) throw new Unsure('which address of the host was connected to')
    return incoming.destination
  },
  proxy_add_x_forwarded_for: (visit) => {
    const before = headerOf(visit, 'x-forwarded-for')
    return before === '' ? visit.source : `${before}, ${visit.source}`
  },
}

function protocolOf({ incoming, server }: Visit): string {
  const newer =
    isOn(server.level, 'http2', false) || server.listens.some(({ node }) => node.args.includes('http2') || node.args.includes('quic'))
  if (incoming.scheme === 'https' && newer) throw new Unsure('which version of HTTP the client speaks')
  return 'HTTP/1.1'
}

/** The first name of the server. */
export function firstName(visit: Visit): string {
  const name = setting(visit.server.level, 'server_name') && visit.server.names[0]!.name
  if (name === '$hostname') throw new Unsure("the host's own name")
  if (name?.startsWith('~')) return name
  return name?.replace(/^\./, '') ?? ''
}

function argument(args: string, name: string): string {
  for (const pair of args.split('&')) {
    const equals = pair.indexOf('=')
    if (equals !== -1 && pair.slice(0, equals).toLowerCase() === name.toLowerCase()) return pair.slice(equals + 1)
  }
  return ''
}

function cookie(header: string, name: string): string {
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals !== -1 && pair.slice(0, equals).trim().toLowerCase() === name.toLowerCase()) return pair.slice(equals + 1).trim()
  }
  return ''
}
