import { accessLogName } from './access-log.ts'
import { isLua } from './lua-directives.ts'

/** Where a custom directive is put. */
export type DirectiveContext = 'main' | 'events' | 'http' | 'server' | 'location'

const codeOrFiles =
  /^(include|load_module|ssl_engine|([a-z]+_)?ssl_password_file|perl.*|js_.*|njs_.*|xslt_stylesheet|.*_temp_path|proxy_store|proxy_store_access|fastcgi_store|uwsgi_store|scgi_store|modsecurity_rules_(file|remote)|google_perftools_profiles|geoip_.*|geoip2|create_full_put_path|dav_.*|passenger.*|exec.*)$/

// Said to be off, these write nothing.
const switches = /^((proxy|fastcgi|uwsgi|scgi)_store|dav_methods|create_full_put_path)$/

// The other commands open files: certificates, keys, folders of authorities. Source: OpenSSL, SSL_CONF_cmd, which heeds no case.
const commandsWithoutFiles: ReadonlySet<string> = new Set(
  `ciphersuites cipherstring options protocol minprotocol maxprotocol signaturealgorithms clientsignaturealgorithms groups curves
    ecdhparameters recordpadding numtickets`.split(/\s+/),
)

const ours: Readonly<Record<string, string>> = {
  server: 'add a virtual host instead',
  server_name: 'use the field server_name',
  listen: 'use the field listen_port',
  location: 'use the field locations',
  upstream: 'add an upstream instead',
  http: 'it is written by NxMesh',
  events: 'it is written by NxMesh',
  stream: 'add a stream host, or use stream_directives of the settings',
  mail: 'use mail_directives of the settings',
  proxy_pass: 'use the field proxy_pass or upstream_id',
  ssl_certificate: 'use the field ssl_certificate_id',
  ssl_certificate_key: 'use the field ssl_certificate_id',
  ssl_reject_handshake: 'it is written by NxMesh',
  ssl_session_cache: 'it is written by NxMesh',
  ssl: 'use the field ssl_enabled',
  http2: 'use the field http2_enabled',
  http3: 'use the field http3_enabled',
  stub_status: 'it is written by NxMesh',
  user: 'it is set where the agent runs',
  daemon: 'it is set by the agent',
  pid: 'it is set by the agent',
  master_process: 'it is set by the agent',
  env: 'use the setting env_vars',
  working_directory: 'it is set by the agent',
  lock_file: 'it is set by the agent',
  debug_points: 'it stops nginx',
}

// nginx's own format, and that of the log that the agent reads: it refuses a second of the name.
const takenFormats = new Set(['combined', accessLogName])
const logs = new Set(['access_log', 'error_log'])

/** What a workspace lets those do who write its configuration, beyond what every workspace does. */
export interface Allowed {
  lua: boolean
  /** It is about a stream or a mail server, where no workspace allows more. */
  within?: 'stream' | 'mail server'
}

export const nothingMore: Allowed = { lua: false }
export const inStreams: Allowed = { lua: false, within: 'stream' }
export const inMail: Allowed = { lua: false, within: 'mail server' }
export const everything: Allowed = { lua: true }

/** Says why a directive may not be set by users, or undefined when it may. Unknown names are left to nginx, whose modules differ from host to host. */
export function refusal(name: string, args: readonly string[], { lua, within }: Allowed): string | undefined {
  const reason = Object.hasOwn(ours, name) ? ours[name] : undefined
  if (reason !== undefined) return `"${name}" cannot be set here: ${reason}`
  if (isLua(name)) {
    const why = within ? `no ${within} runs any` : 'lua_allowed of the workspace is false'
    return lua ? undefined : `"${name}" is not allowed: it runs code on the host, and ${why}`
  }
  if (reachesHost(name, args)) return `"${name}" is not allowed: it runs code or reaches files of the host`
  if (logs.has(name) && !(args.length === 1 && args[0] === 'off')) return `"${name}" may only be "off"`
  if (name === 'log_format' && takenFormats.has(args[0] ?? '')) return `"log_format" cannot have the name "${args[0]}": it is taken`
  return undefined
}

/** Tells whether a directive runs code, or reads or writes files of its own choice, already while nginx reads the configuration. */
export function reachesHost(name: string, args: readonly string[]): boolean {
  if (/^([a-z]+_)?ssl_conf_command$/.test(name)) return !commandsWithoutFiles.has(args[0]?.toLowerCase() ?? '')
  return isLua(name) || (codeOrFiles.test(name) && !(switches.test(name) && args.length === 1 && args[0] === 'off'))
}
