import type { Problem } from '@nxmesh/model/problem'
import type { Settings } from '@nxmesh/model/settings'
import type { UpstreamInput } from '@nxmesh/model/upstream'
import { speaksGrpc } from '@nxmesh/model/upstream-protocol'
import type { VirtualHostInput } from '@nxmesh/model/virtual-host'
import { checkDirectives, checkExtra } from './check-directives.ts'
import { checkLocation } from './check-location.ts'
import { checkMailDirectives } from './check-mail.ts'
import { checkOptions } from './check-options.ts'
import { checkRedirect } from './check-redirect.ts'
import { checkStreamDirectives } from './check-stream.ts'
import { type Allowed, nothingMore } from './directive-rules.ts'
import { repeatedKey } from './map-keys.ts'
import { maxTokenBytes, quote } from './quote.ts'
import { locationKey } from './render/location-path.ts'
import { settingContext } from './render/settings.ts'

/** Checks a virtual host, already valid by its schema, against nginx's rules. Fields are dotted paths into the input. */
export function checkVirtualHost(input: Omit<VirtualHostInput, 'name' | 'target_agents'>, allowed: Allowed = nothingMore): Problem[] {
  const problems = checkDirectives(input.custom_directives, 'custom_directives', () => 'server', allowed)
  problems.push(...checkOptions(input, input.custom_directives, { options: '', custom: 'custom_directives' }))
  problems.push(...checkExtra(input.extra_directives, 'extra_directives', 'server', () => 'server', allowed))
  if (input.tls && !input.ssl_enabled) problems.push({ field: 'tls', message: 'is only for hosts with ssl_enabled', code: 'NOT_ALLOWED' })
  if (input.real_ip && input.accept_proxy_protocol?.trusted.length)
    problems.push({
      field: 'real_ip',
      message: "cannot be given together with accept_proxy_protocol.trusted, which says where the client's address is taken from",
      code: 'CONFLICT',
    })
  problems.push(...checkRedirect(input))
  const first = new Map<string, number>()
  for (const [at, location] of input.locations.entries()) {
    problems.push(...checkLocation(location, `locations.${at}`, allowed))
    if (speaksGrpc(location) && !input.http2_enabled) {
      const field = `locations.${at}.${location.grpc_pass === undefined ? 'upstream_protocol' : 'grpc_pass'}`
      problems.push({
        field,
        message: 'needs http2_enabled of the virtual host: clients of gRPC speak nothing else',
        code: 'INVALID_VALUE',
      })
    }
    const key = locationKey(location.path)
    const earlier = first.get(key)
    if (earlier === undefined) first.set(key, at)
    else problems.push({ field: `locations.${at}.path`, message: `is the same location as locations.${earlier}`, code: 'DUPLICATE' })
  }
  return problems
}

/** Checks an upstream, already valid by its schema, against nginx's rules. */
export function checkUpstream(input: Pick<UpstreamInput, 'algorithm' | 'servers'>): Problem[] {
  const problems: Problem[] = []
  for (const [at, server] of input.servers.entries()) {
    if (server.backup && input.algorithm === 'ip_hash')
      problems.push({ field: `servers.${at}.backup`, message: 'cannot be set with the algorithm ip_hash', code: 'CONFLICT' })
  }
  if (input.servers.every((server) => server.backup))
    problems.push({ field: 'servers', message: 'must hold at least one server that is not a backup', code: 'INVALID_VALUE' })
  return problems
}

// A new binary is started with this environment and the rights of the master process: the variables of ld.so(8) and the C library,
// of OpenSSL's configuration and of Perl, and those by which nginx hands its sockets on (nginx.org/en/docs/ngx_core_module.html#env).
const steersPrograms = /^(LD_.*|GLIBC_TUNABLES|GCONV_PATH|MALLOC_.*|OPENSSL_.*|PERL5.*|PERLLIB|NGINX|NGINX_.*)$/

/** Checks the settings of a workspace, already valid by their schema, against nginx's rules. */
export function checkSettings(input: Settings, allowed: Allowed = nothingMore): Problem[] {
  const problems = checkDirectives(input.nginx_directives, 'nginx_directives', settingContext, allowed)
  problems.push(...checkOptions(input, input.nginx_directives, { options: '', custom: 'nginx_directives' }))
  problems.push(...checkExtra(input.extra_directives, 'extra_directives', 'settings', settingContext, allowed))
  problems.push(...checkStreamDirectives(input.stream_directives, 'stream_directives'))
  problems.push(...checkMailDirectives(input.mail_directives, 'mail_directives'))
  problems.push(...checkMaps(input))
  for (const [name, value] of Object.entries(input.env_vars)) {
    if (steersPrograms.test(name))
      problems.push({
        field: `env_vars.${name}`,
        message: `"${name}" is not allowed: it decides what code nginx loads or which sockets it takes over`,
        code: 'NOT_ALLOWED',
      })
    if (Buffer.byteLength(quote(`${name}=${value}`)) > maxTokenBytes)
      problems.push({
        field: `env_vars.${name}`,
        message: `must be at most ${maxTokenBytes} bytes with its name and quotes`,
        code: 'TOO_LONG',
      })
  }
  return problems
}

function checkMaps({ nginx_directives: { map }, extra_directives = [], stream_directives = [] }: Settings): Problem[] {
  const texts: [field: string, text: string][] = extra_directives.map((text, at) => [`extra_directives.${at}`, text])
  texts.push(...stream_directives.map((text, at): [string, string] => [`stream_directives.${at}`, text]))
  if (map !== undefined) texts.unshift(['nginx_directives.map', `map ${map}`])
  return texts.flatMap(([field, text]): Problem[] => {
    const key = repeatedKey(text)
    return key === undefined ? [] : [{ field, message: `has the key "${key}" twice, which nginx refuses`, code: 'DUPLICATE' }]
  })
}
