import { portOf } from '@nxmesh/model/listen-address'
import type { Problem } from '@nxmesh/model/problem'
import type { StreamHostInput } from '@nxmesh/model/stream-host'
import type { UpstreamInput } from '@nxmesh/model/upstream'
import { contextsFor } from './directive-contexts.ts'
import { inStreams } from './directive-rules.ts'
import { type ReadStatement, readExtra, readStatement, type Statement } from './render/custom-directives.ts'
import { streamOptionLines } from './render/stream/options.ts'
import { type StreamContext, streamAnswers, streamContextsFor } from './stream-directives.ts'

type StreamHost = Omit<StreamHostInput, 'name' | 'target_agents'>

/** Checks a stream host, already valid by its schema, against nginx's rules; `upstream` is the one that it names, where that is known. */
export function checkStreamHost(host: StreamHost, upstream: UpstreamInput | undefined): Problem[] {
  const { problems, statements } = readAll(host)
  const answer = statements.find(({ statement }) => streamAnswers.has(statement.name))
  if (host.upstream_id === undefined && !answer && problems.length === 0)
    problems.push({ field: 'upstream_id', message: 'is required where no directive says where it goes', code: 'REQUIRED' })
  if (host.upstream_id !== undefined && answer)
    problems.push({ field: answer.field, message: `"${answer.statement.name}" cannot be set beside upstream_id`, code: 'CONFLICT' })
  const set = new Map(streamOptionLines(host, '').map(({ name, field }) => [name, field]))
  for (const { field, statement } of statements) {
    const option = set.get(statement.name)
    if (option !== undefined) problems.push({ field, message: `"${statement.name}" is set by ${option} already`, code: 'CONFLICT' })
    const message = passProblem(statement)
    if (message !== undefined) problems.push({ field, message, code: 'INVALID_VALUE' })
  }
  problems.push(...protocolProblems(host), ...tlsProblems(host))
  for (const { message, code } of upstream ? portProblems(upstream) : []) problems.push({ field: 'upstream_id', message, code })
  return problems
}

/** Checks the directives of the settings' stream block. */
export function checkStreamDirectives(directives: readonly string[] | undefined, path: string): Problem[] {
  return (directives ?? []).flatMap((text, at) =>
    problemsOf(readExtra(text, 'stream', inStreams), { field: `${path}.${at}`, name: nameOf(text), context: 'stream' }),
  )
}

/** The servers of an upstream that no stream host can send to, as they have no port. Source: nginx stream upstream module, "server". */
export function portProblems({ servers }: Pick<UpstreamInput, 'servers'>): Problem[] {
  return servers.flatMap(({ address }, at): Problem[] => {
    if (address.startsWith('unix:') || /:\d+$/.test(address)) return []
    return [{ field: `servers.${at}.address`, message: `server ${address} must have a port for stream hosts`, code: 'INVALID_VALUE' }]
  })
}

interface Placed {
  field: string
  statement: Statement
}

function readAll({ custom_directives, extra_directives = [] }: StreamHost) {
  const problems: Problem[] = []
  const statements: Placed[] = []
  const take = (field: string, name: string, read: ReadStatement) => {
    const found = problemsOf(read, { field, name, context: 'server' })
    problems.push(...found)
    if (read.ok && found.length === 0) statements.push({ field, statement: read.statement })
  }
  for (const [name, value] of Object.entries(custom_directives))
    take(`custom_directives.${name}`, name, readStatement(name, value, 'stream_host', inStreams))
  for (const [at, text] of extra_directives.entries())
    take(`extra_directives.${at}`, nameOf(text), readExtra(text, 'stream_host', inStreams))
  return { problems, statements }
}

const nouns: Record<StreamContext, string> = { stream: 'the stream block', server: 'a stream host' }

// What HTTP has another place for.
const ours: Readonly<Record<string, string>> = {
  server: 'add a stream host instead',
  listen: 'use the fields protocol, listen_port and listen_addresses',
  server_name: 'a port belongs to one stream host; ssl_preread and a map of $ssl_preread_server_name choose by name',
  location: 'streams have none',
}

function nameOf(text: string): string {
  return /^\s*([a-z0-9_]+)/.exec(text)?.[1] ?? ''
}

function problemsOf(
  read: ReadStatement,
  { field, name: written, context }: { field: string; name: string; context: StreamContext },
): Problem[] {
  if (Object.hasOwn(ours, written)) return [{ field, message: `"${written}" cannot be set here: ${ours[written]}`, code: 'NOT_ALLOWED' }]
  if (!read.ok) return [{ field, message: read.message, code: read.reason === 'refused' ? 'NOT_ALLOWED' : 'INVALID_FORMAT' }]
  const { name } = read.statement
  const allowed = streamContextsFor(name)
  if (allowed?.includes(context)) return []
  if (allowed) {
    const message = `"${name}" is not allowed in ${nouns[context]}, only in ${allowed.map((other) => nouns[other]).join(' or ')}`
    return [{ field, message, code: 'NOT_ALLOWED' }]
  }
  // Modules differ from host to host, so other names are left to nginx.
  if (contextsFor(name) === undefined && !ofHttp.test(name)) return []
  return [{ field, message: `"${name}" is a directive of HTTP, which streams do not have`, code: 'NOT_ALLOWED' }]
}

const ofHttp =
  /^(add_header|add_trailer|expires|root|index|error_page|auth_basic.*|client_.*|gzip.*|http2_.*|http3_.*|keepalive_.*|limit_req.*|proxy_cache.*|proxy_set_.*|proxy_hide_header|proxy_redirect|real_ip_.*|satisfy|send_timeout|server_tokens|types|default_type|fastcgi_.*|grpc_.*|uwsgi_.*|scgi_.*)$/

/** Where a directive cannot lead: nginx would not load it, or only as long as a name server answers. Source: nginx stream proxy and pass modules. */
export function passProblem({ name, args: [address = ''] }: Pick<Statement, 'name' | 'args'>): string | undefined {
  if (name !== 'proxy_pass' && name !== 'pass') return undefined
  if (address.includes('$') || address.startsWith('unix:/')) return undefined
  if (/^(\d+(\.\d+){3}|\[[0-9a-fA-F:.]+\]):\d+$/.test(address)) return undefined
  if (name === 'pass') return 'must be a variable, unix:/path or an IP address with a port'
  // A block of the settings.
  if (/^[A-Za-z0-9_.-]+$/.test(address) && !/^\d+(\.\d+){3}$/.test(address)) return undefined
  return 'must be a variable, an upstream of stream_directives, unix:/path or an IP address with a port; for a host name use upstream_id'
}

function protocolProblems({
  protocol,
  listen_port,
  listen_addresses,
  ssl_enabled,
  accept_proxy_protocol,
  proxy = {},
}: StreamHost): Problem[] {
  const only = protocol === 'tcp' ? 'udp' : 'tcp'
  const set =
    protocol === 'udp'
      ? {
          listen_addresses: portOf({ listen_port, listen_addresses }) === 0,
          ssl_enabled,
          accept_proxy_protocol: accept_proxy_protocol !== undefined,
          'proxy.send_proxy_protocol': proxy.send_proxy_protocol === true,
          'proxy.ssl': proxy.ssl === true,
        }
      : { 'proxy.requests': proxy.requests !== undefined, 'proxy.responses': proxy.responses !== undefined }
  return Object.entries(set).flatMap(([field, isSet]): Problem[] =>
    isSet ? [{ field, message: `is only for the protocol ${only}`, code: 'NOT_ALLOWED' }] : [],
  )
}

function tlsProblems({ ssl_enabled, tls_policy, proxy = {} }: StreamHost): Problem[] {
  const problems: Problem[] = []
  if (tls_policy !== undefined && !ssl_enabled)
    problems.push({ field: 'tls_policy', message: 'is only for hosts with ssl_enabled', code: 'NOT_ALLOWED' })
  if (proxy.ssl_name !== undefined && proxy.ssl !== true)
    problems.push({ field: 'proxy.ssl_name', message: 'is only for upstreams with proxy.ssl', code: 'NOT_ALLOWED' })
  return problems
}
