/** Where a directive of a stream host or of the settings' stream block is put. */
export type StreamContext = 'stream' | 'server'

const words = (text: string) => text.trim().split(/\s+/)

const groups: readonly (readonly [contexts: readonly StreamContext[], names: readonly string[]])[] = [
  [
    ['stream'],
    words(`map map_hash_max_size map_hash_bucket_size geo split_clients log_format limit_conn_zone upstream
      server_names_hash_max_size server_names_hash_bucket_size variables_hash_max_size variables_hash_bucket_size`),
  ],
  [['server'], words('proxy_pass return pass set')],
  [
    ['stream', 'server'],
    words(`access_log error_log open_log_file_cache allow deny limit_conn limit_conn_log_level limit_conn_dry_run
      preread_buffer_size preread_timeout proxy_protocol_timeout resolver resolver_timeout tcp_nodelay set_real_ip_from
      proxy_bind proxy_buffer_size proxy_connect_timeout proxy_download_rate proxy_half_close proxy_next_upstream
      proxy_next_upstream_timeout proxy_next_upstream_tries proxy_protocol proxy_requests proxy_responses proxy_session_drop
      proxy_socket_keepalive proxy_socket_rcvbuf proxy_socket_sndbuf proxy_timeout proxy_upload_rate
      proxy_ssl proxy_ssl_certificate proxy_ssl_certificate_cache proxy_ssl_certificate_key proxy_ssl_ciphers proxy_ssl_conf_command
      proxy_ssl_crl proxy_ssl_key_log proxy_ssl_name proxy_ssl_password_file proxy_ssl_protocols proxy_ssl_server_name
      proxy_ssl_session_reuse proxy_ssl_trusted_certificate proxy_ssl_verify proxy_ssl_verify_depth
      ssl_alpn ssl_ciphers ssl_client_certificate ssl_crl ssl_dhparam ssl_ecdh_curve ssl_handshake_timeout ssl_ocsp ssl_ocsp_cache
      ssl_ocsp_responder ssl_prefer_server_ciphers ssl_preread ssl_protocols ssl_session_ticket_key ssl_session_tickets
      ssl_session_timeout ssl_stapling ssl_stapling_file ssl_stapling_responder ssl_stapling_verify ssl_trusted_certificate
      ssl_verify_client ssl_verify_depth`),
  ],
]

const contextsOf = new Map(groups.flatMap(([contexts, names]) => names.map((name) => [name, contexts] as const)))

/** The names that the table knows. */
export const streamContextNames: readonly string[] = [...contextsOf.keys()]

/** The directives that say where a connection goes or what it is answered. A server has one of them. */
export const streamAnswers: ReadonlySet<string> = new Set(['proxy_pass', 'pass', 'return'])

/**
 * Where nginx allows a directive within its stream block; undefined for names that its own stream modules do not have. Source: the "Context"
 * line of each directive in the documentation of the ngx_stream_* modules.
 */
export function streamContextsFor(name: string): readonly StreamContext[] | undefined {
  return contextsOf.get(name)
}
