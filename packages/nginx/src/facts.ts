import { quote } from './quote.ts'

/** What the renderer and the agent need to know about one nginx binary. Paths are absolute. */
export interface NginxFacts {
  version: string
  configure_arguments: string[]
  prefix: string
  conf_path: string
  pid_path: string
  error_log_path: string
  modules_path: string
  /** The TLS library it runs with, empty when there is none. */
  openssl: string
  supports: NginxSupport
  modules: LoadedModules
}

/** Dynamic modules that some support needs, each as the files to load, in order; none for what is built in. */
export type LoadedModules = Readonly<Partial<Record<ModuleName, readonly string[]>>>
export type ModuleName = keyof typeof moduleFiles

/** The files that each dynamic module may consist of, in the order in which nginx must load them; the first set of which all are there is tried first. */
export const moduleFiles = {
  stream: [['ngx_stream_module.so']],
  mail: [['ngx_mail_module.so']],
  brotli: [['ngx_http_brotli_filter_module.so']],
  brotli_static: [['ngx_http_brotli_static_module.so']],
  lua: [['ndk_http_module.so', 'ngx_http_lua_module.so'], ['ngx_http_lua_module.so']],
  headers_more: [['ngx_http_headers_more_filter_module.so']],
  echo: [['ngx_http_echo_module.so']],
  fancyindex: [['ngx_http_fancyindex_module.so']],
  subs_filter: [['ngx_http_subs_filter_module.so']],
  image_filter: [['ngx_http_image_filter_module.so']],
  cache_purge: [['ngx_http_cache_purge_module.so']],
} as const satisfies Record<string, readonly (readonly string[])[]>

export interface NginxSupport {
  ssl: boolean
  http2: boolean
  /** `http2 on;` instead of `listen … http2`. */
  http2_directive: boolean
  http3: boolean
  reject_handshake: boolean
  stub_status: boolean
  /** `keepalive 0;`, which is needed where connections to the servers of an upstream are kept without being asked for. */
  keepalive_off: boolean
  /** `server NAME service=… resolve;`: servers of an upstream asked of a name server while nginx runs. */
  upstream_resolve: boolean
  realip: boolean
  brotli: boolean
  brotli_static: boolean
  lua: boolean
  headers_more: boolean
  echo: boolean
  fancyindex: boolean
  subs_filter: boolean
  image_filter: boolean
  cache_purge: boolean
  stream: boolean
  stream_ssl: boolean
  stream_realip: boolean
  mail: boolean
  /** The `-e` switch; there is no probe for it, as an unknown switch needs no config to fail. */
  error_log_option: boolean
}

/**
 * Reads the output of `nginx -V`. What is supported is a first guess from the version and the configure arguments:
 * distributions carry newer directives back, so an agent overrules it with `probes`. Returns undefined for any other text.
 */
export function parseVersion(output: string): NginxFacts | undefined {
  const version = /^nginx version: [^/\s]+\/(\d+\.\d+\.\d+)/m.exec(output)?.[1]
  if (version === undefined) return undefined
  const configure_arguments = shellWords(/^configure arguments:(.*)$/m.exec(output)?.[1] ?? '')
  const openssl = /^built with (\S.*?)(?: \(running with (.*)\))?$/m.exec(output)
  const prefix = option(configure_arguments, 'prefix') ?? '/usr/local/nginx'
  const path = (name: string, fallback: string) => under(prefix, option(configure_arguments, name) ?? fallback)
  return {
    version,
    configure_arguments,
    prefix,
    conf_path: path('conf-path', 'conf/nginx.conf'),
    pid_path: path('pid-path', 'logs/nginx.pid'),
    error_log_path: path('error-log-path', 'logs/error.log'),
    modules_path: path('modules-path', 'modules'),
    openssl: openssl?.[2] ?? openssl?.[1] ?? '',
    supports: guess(version, configure_arguments),
    modules: {},
  }
}

/** What is supported, by name: as an agent tells it. */
export function namesOf(supports: NginxSupport): string[] {
  return Object.entries(supports).flatMap(([name, able]) => (able ? [name] : []))
}

/** The inverse of namesOf; names that this release does not know are left out. */
export function supportOf(names: readonly string[]): NginxSupport {
  return Object.fromEntries(Object.keys(guess('0.0.0', [])).map((name) => [name, names.includes(name)])) as unknown as NginxSupport
}

/** An nginx that can do everything that is asked about. */
export const fullSupport: NginxSupport = supportOf(Object.keys(guess('0.0.0', [])))

/** Compares two version numbers: negative when the first is older. */
export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number)
  const right = b.split('.').map(Number)
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

// Source: nginx changes; `http2 on` came with 1.25.1, ssl_reject_handshake with 1.19.4, `-e` with 1.19.5, upstream servers by name with 1.27.3, kept connections by default with 1.29.7.
function guess(version: string, configureArguments: string[]): NginxSupport {
  const since = (wanted: string) => compareVersions(version, wanted) >= 0
  const built = (module: string) => configureArguments.includes(`--with-http_${module}_module`)
  const added = (source: RegExp) => configureArguments.some((argument) => argument.startsWith('--add-module=') && source.test(argument))
  const ssl = built('ssl')
  const http2 = built('v2')
  // What is built as a dynamic module is found by trying.
  const stream = configureArguments.includes('--with-stream')
  return {
    ssl,
    http2,
    http2_directive: http2 && since('1.25.1'),
    http3: ssl && built('v3') && since('1.25.0'),
    reject_handshake: ssl && since('1.19.4'),
    stub_status: built('stub_status'),
    keepalive_off: since('1.29.7'),
    upstream_resolve: since('1.27.3'),
    realip: built('realip'),
    brotli: added(/brotli/),
    brotli_static: added(/brotli/),
    lua: added(/lua-nginx-module|http-lua|ngx_lua/),
    headers_more: added(/headers-more/),
    echo: added(/echo-nginx|http-echo/),
    fancyindex: added(/fancyindex/),
    subs_filter: added(/subs-filter|substitutions/),
    image_filter: built('image_filter'),
    cache_purge: added(/cache[_-]purge/),
    stream,
    stream_ssl: stream && configureArguments.includes('--with-stream_ssl_module'),
    stream_realip: stream && configureArguments.includes('--with-stream_realip_module'),
    mail: configureArguments.includes('--with-mail'),
    error_log_option: since('1.19.5'),
  }
}

/** A statement that only an nginx takes which supports something, by itself or with the files of `module`. */
export interface Probe {
  name: Exclude<keyof NginxSupport, 'error_log_option'>
  block: 'http' | 'stream' | 'mail'
  statement: string
  module?: ModuleName
}

/** One for each support that can be tried. They stand together where all are supported. */
export const probes: readonly Probe[] = [
  { name: 'ssl', block: 'http', statement: 'ssl_session_timeout 5m;' },
  { name: 'http2', block: 'http', statement: 'http2_max_concurrent_streams 128;' },
  { name: 'http2_directive', block: 'http', statement: 'http2 on;' },
  { name: 'http3', block: 'http', statement: 'http3 on;' },
  { name: 'reject_handshake', block: 'http', statement: 'ssl_reject_handshake on;' },
  { name: 'keepalive_off', block: 'http', statement: 'upstream keepalive_off { server 127.0.0.1; keepalive 0; }' },
  {
    name: 'upstream_resolve',
    block: 'http',
    statement: 'upstream upstream_resolve { zone probe 64k; resolver 127.0.0.1; server probe.invalid service=_probe._tcp resolve; }',
  },
  { name: 'realip', block: 'http', statement: 'real_ip_recursive on;' },
  { name: 'brotli', block: 'http', statement: 'brotli on;', module: 'brotli' },
  { name: 'brotli_static', block: 'http', statement: 'brotli_static on;', module: 'brotli_static' },
  { name: 'lua', block: 'http', statement: 'lua_code_cache on;', module: 'lua' },
  { name: 'headers_more', block: 'http', statement: 'more_clear_headers X-Probe;', module: 'headers_more' },
  { name: 'echo', block: 'http', statement: 'server { listen unix:probe.sock; location / { echo probe; } }', module: 'echo' },
  { name: 'fancyindex', block: 'http', statement: 'fancyindex off;', module: 'fancyindex' },
  { name: 'subs_filter', block: 'http', statement: 'subs_filter_types text/probe;', module: 'subs_filter' },
  { name: 'image_filter', block: 'http', statement: 'image_filter_buffer 1m;', module: 'image_filter' },
  { name: 'cache_purge', block: 'http', statement: 'proxy_cache_purge off;', module: 'cache_purge' },
  { name: 'stub_status', block: 'http', statement: 'server { listen unix:probe.sock; location / { stub_status; } }' },
  { name: 'stream', block: 'stream', statement: 'proxy_timeout 10m;', module: 'stream' },
  { name: 'stream_ssl', block: 'stream', statement: 'ssl_session_timeout 5m;', module: 'stream' },
  { name: 'stream_realip', block: 'stream', statement: 'set_real_ip_from 127.0.0.1;', module: 'stream' },
  { name: 'mail', block: 'mail', statement: 'proxy_buffer 4k;', module: 'mail' },
]

/**
 * A tiny configuration that loads files and holds the statements of probes, for `nginx -t -p DIRECTORY -c FILE`: exit code 0 means that
 * all of them are supported so. It listens nowhere and writes only below the prefix.
 */
export function probeText(some: readonly Probe[], files: readonly string[]): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path temp/${kind};`).join(' ')
  const within = (block: Probe['block'], head: string) => {
    const statements = some.filter((probe) => probe.block === block).map(({ statement }) => `${statement}\n`)
    return statements.length === 0 ? '' : `${block} {${head}\n${statements.join('')}}\n`
  }
  const main = 'pid probe.pid; error_log stderr;\nevents {}\n'
  return loadLines(files) + main + within('http', ` access_log off; ${temporary}`) + within('stream', '') + within('mail', '')
}

/** The directives that load modules, each with its line break. Source: nginx core module, "load_module". */
export function loadLines(files: readonly string[]): string {
  return files.map((file) => `load_module ${quote(file)};\n`).join('')
}

function option(configureArguments: string[], name: string): string | undefined {
  const lead = `--${name}=`
  return configureArguments.findLast((argument) => argument.startsWith(lead))?.slice(lead.length)
}

function under(prefix: string, path: string): string {
  return path.startsWith('/') || path === 'stderr' || path.startsWith('syslog:') ? path : `${prefix.replace(/\/$/, '')}/${path}`
}

function shellWords(text: string): string[] {
  const words = text.match(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g) ?? []
  return words.map((word) => word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'))
}
