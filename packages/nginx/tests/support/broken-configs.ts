import { generateKeyPairSync } from 'node:crypto'
import { certificate } from './certificate.ts'

/** A configuration that nginx complains of. */
export interface Broken {
  code: string
  /** Text of an http block; `main` is a whole file instead. */
  http?: string
  main?: string
  /** Text of a stream block, for binaries that have one. */
  stream?: string
  /** Files beside it, by name. */
  files?: Record<string, string>
  /** The first version that says so, and the first that no longer does. */
  since?: string
  until?: string
}

const { certificate_pem: pem, private_key_pem: key } = certificate
const server = (inside: string) => `server { listen 127.0.0.1:18479; ${inside} }`
const location = (inside: string) => server(`location / { ${inside} }`)
const tls = (inside: string) => `server { listen 127.0.0.1:18479 ssl; ${inside} }`
const pair = { 'c.pem': pem, 'k.pem': key }
const another = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
const otherKey = another.export({ type: 'pkcs8', format: 'pem' }) as string
const lockedKey = another.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' }) as string

/** What is wrong with the text of a configuration, by the code of the cause. */
export const brokenConfigs: readonly Broken[] = [
  { code: 'unknown_directive', http: 'no_such_thing on;' },
  { code: 'unknown_directive', http: server('http2 on;'), until: '1.25.1' },
  { code: 'unknown_directive', main: 'events {} stream { server { listen 1; } }' },
  { code: 'misplaced_directive', http: 'proxy_pass http://127.0.0.1;' },
  { code: 'misplaced_directive', main: 'gzip on; events {}' },
  { code: 'argument_count', http: 'gzip;' },
  { code: 'argument_count', http: location('add_header X-A a b c;') },
  { code: 'unterminated_directive', http: location('root /x { }') },
  { code: 'missing_block', http: 'server;' },
  { code: 'unexpected_end', http: 'server { listen 127.0.0.1:1;' },
  { code: 'unbalanced_quote', http: `${location('return 200 "x;')}${' '.repeat(5000)}` },
  { code: 'unexpected_character', http: '} }' },
  { code: 'unexpected_character', http: '; gzip on;' },
  { code: 'unexpected_character', http: location('return 200 "a"b;') },
  { code: 'mutually_exclusive', http: location('root /x; alias /y/;') },
  { code: 'duplicate_directive', http: location('root /x; root /y;') },
  { code: 'not_on_or_off', http: 'gzip maybe;' },
  { code: 'invalid_number', http: 'gzip_comp_level x;' },
  { code: 'invalid_value', http: 'client_max_body_size 10mb;' },
  { code: 'invalid_value', http: 'keepalive_timeout 1y6;' },
  { code: 'invalid_value', http: 'ssl_protocols TLSv9;' },
  { code: 'out_of_range', http: 'gzip_comp_level 12;' },
  {
    code: 'deprecated',
    http: `server { listen 127.0.0.1:18479 ssl http2; ssl_certificate c.pem; ssl_certificate_key k.pem; }`,
    files: pair,
    since: '1.25.1',
  },
  { code: 'deprecated', http: tls('ssl on; ssl_certificate c.pem; ssl_certificate_key k.pem;'), files: pair, until: '1.25.1' },
  { code: 'incompatible_options', http: 'proxy_cache_path p keys_zone=z:1m; proxy_store on; proxy_cache z;' },
  { code: 'invalid_parameter', http: 'upstream u { server 127.0.0.1 slow_start=30s; }' },
  { code: 'invalid_parameter', http: 'upstream u { zone u 64k; server localhost resolve; }', until: '1.27.3' },
  { code: 'invalid_parameter', http: 'server { listen 18479 quic; }', until: '1.25.0' },

  { code: 'unknown_variable', http: location('return 200 $no_such;') },
  { code: 'invalid_variable_name', http: location('return 200 "$ x";') },
  { code: 'invalid_variable_name', http: location('return 200 "${x";') },
  { code: 'fixed_variable', http: location('set $uri x;') },
  { code: 'unusable_variable', http: location('root $document_root/x;') },
  { code: 'invalid_regex', http: server('location ~ "(a" { }') },
  { code: 'invalid_regex', http: location('rewrite "[" /x;') },
  { code: 'empty_regex', http: server('server_name ~;') },
  { code: 'missing_group', http: location('fastcgi_split_path_info ^x$;') },
  { code: 'invalid_condition', http: location('if ($uri == /x) { return 200; }') },
  { code: 'invalid_condition', http: location('if (uri = /x) { return 200; }') },

  { code: 'duplicate_location', http: server('location /a { } location ^~ /a { }') },
  { code: 'misplaced_location', http: server('location /a { location /b { } }') },
  { code: 'misplaced_location', http: server('location = /a { location /a/b { } }') },
  { code: 'misplaced_location', http: server('location /a { location @n { } }') },
  { code: 'invalid_location', http: server('location ~~ /a { }') },
  { code: 'proxy_pass_uri', http: server('location ~ ^/a { proxy_pass http://127.0.0.1/; }') },
  { code: 'alias_in_named_location', http: server('location @n { alias /x/; }') },
  { code: 'invalid_return', http: location('return 1000;') },
  { code: 'invalid_return', http: location('return moved /x;') },
  { code: 'invalid_url', http: location('proxy_pass 127.0.0.1:80;') },
  { code: 'redirect_default', http: location('proxy_redirect default; proxy_pass http://127.0.0.1;') },

  { code: 'host_not_found', http: location('proxy_pass http://no-such.invalid;') },
  { code: 'host_not_found', http: 'upstream u { server no-such.invalid:80; }' },
  { code: 'host_not_found', http: 'server { listen no-such.invalid:80; }' },
  { code: 'host_not_found', http: 'resolver no-such.invalid;' },
  { code: 'invalid_upstream_address', http: 'upstream u { server 127.0.0.1:70000; }' },
  { code: 'invalid_upstream_address', http: location('proxy_pass http://;') },
  { code: 'no_port_in_upstream', http: location('fastcgi_pass 127.0.0.1;') },
  { code: 'upstream_with_port', http: `upstream u { server 127.0.0.1; } ${location('proxy_pass http://u:81;')}` },
  { code: 'duplicate_upstream', http: 'upstream u { server 127.0.0.1; } upstream u { server 127.0.0.1; }' },
  { code: 'no_servers', http: 'upstream u { }' },
  { code: 'no_servers', http: 'upstream u { server 127.0.0.1 backup; }' },
  { code: 'unsupported_by_balancing', http: 'upstream u { ip_hash; server 127.0.0.1; server 127.0.0.2 backup; }' },
  { code: 'balancing_redefined', http: 'upstream u { server 127.0.0.1; keepalive 4; least_conn; }', until: '1.29.7' },
  { code: 'resolve_without_zone', http: 'resolver 127.0.0.1; upstream u { server localhost resolve; }', since: '1.27.3' },
  { code: 'resolve_without_resolver', http: 'upstream u { zone u 64k; server localhost resolve; }', since: '1.27.3' },
  {
    code: 'service_upstream',
    http: 'resolver 127.0.0.1; upstream u { zone u 64k; server localhost:80 service=_x._tcp resolve; }',
    since: '1.27.3',
  },

  { code: 'address_not_here', http: 'server { listen 8.8.8.8:18479; }' },
  { code: 'duplicate_default_server', http: 'server { listen 18479 default_server; } server { listen 18479 default_server; }' },
  { code: 'duplicate_listen', http: 'server { listen 18479; listen 18479; }' },
  { code: 'duplicate_listen_options', http: 'server { listen 18479 backlog=5; } server { listen 18479 backlog=6; server_name b; }' },
  {
    code: 'protocol_redefined',
    http: 'server { listen 18479 ssl; } server { listen 18479 proxy_protocol; server_name b; } ssl_certificate c.pem; ssl_certificate_key k.pem;',
    files: pair,
    since: '1.25.1',
  },
  { code: 'conflicting_server_name', http: `${server('server_name a;')} ${server('server_name b a;')}` },
  { code: 'invalid_server_name', http: server('server_name *a.test;') },
  { code: 'invalid_server_name', http: server('server_name http://x;') },
  { code: 'invalid_listen', http: 'server { listen 127.0.0.1:70000; }' },
  {
    code: 'quic_without_tls13',
    http: 'server { listen 18479 quic; ssl_protocols TLSv1.2; ssl_certificate c.pem; ssl_certificate_key k.pem; }',
    files: pair,
    since: '1.25.0',
  },

  { code: 'certificate_missing', http: tls('ssl_certificate no.pem; ssl_certificate_key no.pem;') },
  { code: 'invalid_certificate', http: tls('ssl_certificate c.pem; ssl_certificate_key k.pem;'), files: { 'c.pem': 'no', 'k.pem': key } },
  { code: 'invalid_key', http: tls('ssl_certificate c.pem; ssl_certificate_key k.pem;'), files: { 'c.pem': pem, 'k.pem': 'no' } },
  {
    code: 'encrypted_key',
    http: tls('ssl_password_file no-password; ssl_certificate c.pem; ssl_certificate_key k.pem;'),
    files: { 'c.pem': pem, 'k.pem': lockedKey, 'no-password': 'x' },
  },
  { code: 'key_mismatch', http: tls('ssl_certificate c.pem; ssl_certificate_key k.pem;'), files: { 'c.pem': pem, 'k.pem': otherKey } },
  { code: 'no_cipher', http: tls('ssl_ciphers TLS_AES_128_GCM_SHA256; ssl_certificate c.pem; ssl_certificate_key k.pem;'), files: pair },
  { code: 'unknown_curve', http: tls('ssl_ecdh_curve X99; ssl_certificate c.pem; ssl_certificate_key k.pem;'), files: pair },
  {
    code: 'unknown_tls_command',
    http: tls('ssl_conf_command NoSuch x; ssl_certificate c.pem; ssl_certificate_key k.pem;'),
    files: pair,
    since: '1.19.4',
  },
  { code: 'invalid_dh_parameters', http: tls('ssl_dhparam no.pem; ssl_certificate c.pem; ssl_certificate_key k.pem;'), files: pair },
  {
    code: 'invalid_ca_file',
    http: tls('ssl_verify_client on; ssl_client_certificate no.pem; ssl_certificate c.pem; ssl_certificate_key k.pem;'),
    files: pair,
    until: '1.27.0',
  },
  { code: 'no_certificate', http: 'server { listen 18479 ssl; }' },
  { code: 'no_certificate', http: tls('ssl_certificate c.pem;'), files: pair },
  { code: 'no_trusted_ca', http: tls('ssl_verify_client on; ssl_certificate c.pem; ssl_certificate_key k.pem;'), files: pair },
  { code: 'no_trusted_ca', http: location('proxy_ssl_verify on; proxy_pass https://127.0.0.1;') },
  { code: 'stapling_ignored', http: tls('ssl_stapling on; ssl_certificate c.pem; ssl_certificate_key k.pem;'), files: pair },

  { code: 'unknown_zone', http: location('limit_req zone=z;') },
  { code: 'unknown_zone', http: 'proxy_cache z;' },
  { code: 'zone_conflict', http: 'limit_req_zone $binary_remote_addr zone=z:1m rate=1r/s; limit_conn_zone $binary_remote_addr zone=z:1m;' },
  { code: 'zone_conflict', http: 'limit_req_zone $binary_remote_addr zone=z:1m rate=1r/s; limit_req_zone $host zone=z:1m rate=1r/s;' },
  { code: 'zone_conflict', http: 'ssl_session_cache shared:S:1m; server { listen 18479; ssl_session_cache shared:S:2m; }' },
  { code: 'invalid_zone', http: 'limit_req_zone $host zone=z:1k rate=1r/s;' },
  { code: 'invalid_rate', http: 'limit_req_zone $host zone=z:1m rate=0.5r/s;' },
  { code: 'hash_too_small', http: `map $uri $m { ${'x'.repeat(300)} 1; }` },
  {
    code: 'hash_too_small',
    http: `server_names_hash_bucket_size 32; ${server(`server_name ${'x'.repeat(60)}.test;`)} ${server('server_name b;')}`,
  },
  {
    code: 'hash_not_optimal',
    http: `map_hash_max_size 16; map $uri $m { ${Array.from({ length: 500 }, (_, at) => `k${at} 1;`).join(' ')} }`,
  },
  { code: 'duplicate_map_key', http: 'map $uri $m { a 1; a 2; }' },
  { code: 'duplicate_map_key', http: 'map $uri $m { default 1; default 2; }' },
  { code: 'duplicate_media_type', http: 'gzip_types text/html;' },
  { code: 'duplicate_media_type', http: 'types { text/a x; text/b x; }' },
  { code: 'buffer_sizes', http: location('proxy_buffer_size 64k;') },
  { code: 'buffer_sizes', http: location('proxy_buffers 1 4k;') },
  { code: 'unknown_log_format', http: 'access_log off; server { access_log l no_such; }' },
  { code: 'duplicate_log_format', http: 'log_format combined x;' },
  { code: 'missing_companion', http: 'open_file_cache inactive=5s;' },

  { code: 'missing_folder', http: 'server { access_log /no/such/folder/l; }' },
  { code: 'missing_folder', http: 'include no-such.conf;' },
  { code: 'stream_without_answer', stream: 'server { listen 127.0.0.1:18479; }', until: '1.29' },
  { code: 'stream_port_twice', stream: 'server { listen 18479; return a; } server { listen 18479; return b; }', until: '1.25.5' },
  { code: 'conflicting_server_name', stream: 'server { listen 18479; return a; } server { listen 18479; return b; }', since: '1.25.5' },
  { code: 'not_for_udp', stream: 'server { listen 18479 udp ssl; return a; }' },
  { code: 'not_for_udp', stream: 'server { listen 18479 udp proxy_protocol; return a; }' },
  { code: 'no_listen', stream: 'server { return a; }' },
  { code: 'pass_without_address', stream: 'server { listen 18479; pass a.test:80; }', since: '1.25.5' },
  { code: 'unknown_directive', stream: 'server { listen 18479; pass 127.0.0.1:80; }', until: '1.25.5' },
  { code: 'no_port_in_upstream', stream: 'server { listen 18479; proxy_pass nothing; }' },
  { code: 'host_not_found', stream: 'server { listen 18479; proxy_pass nothing.invalid:80; }' },
  { code: 'duplicate_directive', stream: 'server { listen 18479; proxy_pass 127.0.0.1:1; proxy_pass 127.0.0.1:2; }' },
  { code: 'misplaced_directive', stream: 'server { listen 18479; add_header A b; return a; }' },
  { code: 'unknown_zone', stream: 'server { listen 18479; limit_conn z 1; return a; }' },
  { code: 'unsupported_by_balancing', stream: 'upstream u { hash $remote_addr; server 127.0.0.1:1; server 127.0.0.1:2 backup; }' },
  { code: 'no_certificate', stream: 'server { listen 18479 ssl; return a; }' },
  { code: 'unknown_user', main: 'user no_such_user; events {} http { }' },
  { code: 'no_events', main: 'http { }' },
  { code: 'module_missing', main: 'load_module no-such.so; events {}' },
  { code: 'module_twice', main: 'events {} load_module no-such.so;' },
]
