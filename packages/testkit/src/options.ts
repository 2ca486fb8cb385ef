import type { LocationOptions, ServerOptions, SettingsOptions } from '@nxmesh/model/options'
import type { StreamOptions } from '@nxmesh/model/options/stream'
import { upstreamProtocols } from '@nxmesh/model/upstream-protocol'

type Samples<Options> = { [Name in keyof Required<Options>]: NonNullable<Options[Name]>[] }

const client = [{}, { max_body_size: '0' }, { max_body_size: '20m', body_timeout: 30, send_timeout: 5, keepalive_timeout: 0 }]
const proxy = [
  {},
  { connect_timeout: 3, send_timeout: 30, read_timeout: 3600, request_buffering: false },
  { buffering: true, buffers: { number: 16, size: '32k' } },
]

const gzip = [
  { enabled: false, types: [], min_length: 256 },
  { enabled: true, types: ['text/css', 'text/html', 'text/css'], min_length: 0, level: 9 },
]
const real_ip = [{ trusted: ['10.0.0.0/8', '2001:db8::/32', '127.0.0.1'], header: 'X-Real-IP', recursive: false }]

const rules = [
  { action: 'deny' as const, address: '10.0.0.1' },
  { action: 'allow' as const, address: '2001:db8::/32' },
  { action: 'deny' as const, address: 'all' as const },
]
const access = [{ rules }, { rules: rules.slice(0, 1), satisfy: 'any' as const }]
const limit_req = [
  { rate: '1r/s', burst: 0, nodelay: false, dry_run: false },
  { rate: '30r/m', burst: 5, nodelay: true, dry_run: true },
]
const limit_conn = [
  { connections: 1, dry_run: false },
  { connections: 65_535, dry_run: true },
]

const redirect = [
  { canonical_name: 'canonical.test', keep_path: true, status: 301 as const, rules: [] },
  {
    to: 'https://new.test/base/',
    keep_path: false,
    status: 308 as const,
    rules: [
      { from: '/a b', to: '/c?d=e#f', status: 307 as const },
      { from: '~ ^/a{2}/(.*)$', to: 'https://new.test/$1', status: 302 as const },
    ],
  },
]
const maintenance = [
  { enabled: false, retry_after: 600, allow: [] },
  { enabled: true, retry_after: 1, allow: ['10.0.0.0/8', '10.0.0.0/8', '::1'] },
]
const staticFiles = [{ assets: [] }, { fallback: '/index.html', assets_max_age: 3600, assets: ['css', 'js', 'css'] }]

const proxy_cache = [
  { enabled: false, valid: [], bypass: [], use_stale: [], lock: false, status_header: false },
  {
    enabled: true,
    valid: [{ status: 200, seconds: 60 }, { seconds: 0 }],
    key: '$scheme $host "$uri" $cookie_language',
    bypass: ['$cookie_session', '$arg_nocache', '$http_pragma'],
    use_stale: ['updating' as const, 'error' as const],
    lock: true,
    status_header: true,
  },
]
const proxy_cache_path = [{ max_size: '100m', inactive: 60 }]

const auth_basic = [
  { enabled: false, realm: 'Restricted', users: [] },
  {
    enabled: true,
    realm: "Ask $Ann; don't guess",
    users: [
      { name: 'ann', password_hash: '$apr1$abcdefgh$0b8Kx5JkLlO8bYQnJm5dE1' },
      { name: 'bob b', password_hash: '{SSHA}0123456789abcdefghijklmnopqrstuvwxyz' },
    ],
  },
]

const anywhere = { proxy, gzip, brotli: gzip }
const hostOrLocation = { access, auth_basic, limit_req, limit_conn, proxy_cache }
const whole = { client: [...client, { header_timeout: 20 }], real_ip }

/** Values of every typed option, with all of their members between them: the type asks for those of a new option. */
export const optionSamples: {
  settings: Samples<SettingsOptions>
  server: Samples<ServerOptions>
  location: Samples<LocationOptions>
  stream: Samples<StreamOptions>
} = {
  settings: { ...anywhere, ...whole, proxy_cache_path },
  server: { ...anywhere, ...whole, ...hostOrLocation, redirect, maintenance },
  location: {
    ...anywhere,
    ...hostOrLocation,
    client,
    static: staticFiles,
    upstream_protocol: [...upstreamProtocols],
    grpc_pass: ['grpc://127.0.0.1:50051', 'grpcs://[::1]'],
  },
  stream: {
    proxy: [
      {},
      { connect_timeout: 3, timeout: 3600, upload_rate: '100k', download_rate: '1m', send_proxy_protocol: true },
      { requests: 1, responses: 0 },
      { ssl: true, ssl_name: 'database.test' },
    ],
    access: [{ rules }],
    limit_conn,
    accept_proxy_protocol: [{ trusted: [] }, { trusted: ['10.0.0.0/8', '::1'] }],
  },
}
