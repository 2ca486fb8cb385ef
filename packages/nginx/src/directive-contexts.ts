import type { DirectiveContext } from './directive-rules.ts'

const words = (text: string) => text.trim().split(/\s+/)

/** Directives of nginx's own modules that are not allowed in all of http, server and location, by where they are allowed. */
const groups: readonly (readonly [contexts: readonly DirectiveContext[], names: readonly string[]])[] = [
  [
    ['main'],
    words(`worker_processes worker_rlimit_nofile worker_rlimit_core worker_priority worker_cpu_affinity worker_shutdown_timeout
      pcre_jit timer_resolution thread_pool ssl_object_cache_inheritable quic_bpf`),
  ],
  [['events'], words('worker_connections multi_accept use accept_mutex accept_mutex_delay worker_aio_requests debug_connection')],
  [
    ['http'],
    words(`map map_hash_max_size map_hash_bucket_size geo split_clients log_format limit_req_zone limit_conn_zone charset_map
      proxy_cache_path fastcgi_cache_path uwsgi_cache_path scgi_cache_path server_names_hash_max_size
      server_names_hash_bucket_size variables_hash_max_size variables_hash_bucket_size http2_recv_buffer_size`),
  ],
  [
    ['http', 'server'],
    words(`client_header_buffer_size client_header_timeout connection_pool_size ignore_invalid_headers large_client_header_buffers
      merge_slashes request_pool_size underscores_in_headers max_headers
      ssl_protocols ssl_ciphers ssl_prefer_server_ciphers ssl_session_timeout ssl_session_tickets ssl_session_ticket_key
      ssl_verify_client ssl_verify_depth ssl_client_certificate ssl_trusted_certificate ssl_crl ssl_dhparam ssl_ecdh_curve
      ssl_buffer_size ssl_early_data ssl_ocsp ssl_ocsp_cache ssl_ocsp_responder ssl_stapling ssl_stapling_file
      ssl_stapling_responder ssl_stapling_verify http2_max_concurrent_streams http2_recv_timeout http2_idle_timeout
      http2_max_field_size http2_max_header_size http2_max_requests http2_body_preread_size
      http3_hq http3_max_concurrent_streams http3_stream_buffer_size quic_active_connection_id_limit quic_gso
      quic_host_key quic_retry`),
  ],
  [['server', 'location'], words('return rewrite if set break try_files')],
  [
    ['location'],
    words(`alias internal limit_except empty_gif flv mp4 hls memcached_pass fastcgi_pass uwsgi_pass scgi_pass grpc_pass random_index image_filter
      f4f`),
  ],
  // Of echo-nginx-module.
  [
    ['location'],
    words(`echo echo_duplicate echo_flush echo_sleep echo_blocking_sleep echo_reset_timer echo_read_request_body echo_location_async
      echo_location echo_subrequest_async echo_subrequest echo_foreach_split echo_end echo_request_body echo_exec echo_status`),
  ],
  // Of lua-nginx-module.
  [
    ['http'],
    words(`init_by_lua init_by_lua_block init_by_lua_file init_worker_by_lua init_worker_by_lua_block init_worker_by_lua_file
      exit_worker_by_lua_block exit_worker_by_lua_file ssl_session_store_by_lua_block ssl_session_store_by_lua_file
      ssl_session_fetch_by_lua_block ssl_session_fetch_by_lua_file rewrite_by_lua_no_postpone access_by_lua_no_postpone
      lua_shared_dict lua_package_path lua_package_cpath lua_capture_error_log lua_sa_restart lua_regex_cache_max_entries
      lua_regex_match_limit lua_load_resty_core lua_thread_cache_max_entries lua_max_running_timers lua_max_pending_timers
      lua_malloc_trim lua_worker_thread_vm_pool_size`),
  ],
  [
    ['http', 'server'],
    words(`server_rewrite_by_lua_block server_rewrite_by_lua_file ssl_client_hello_by_lua_block ssl_client_hello_by_lua_file
      ssl_certificate_by_lua_block ssl_certificate_by_lua_file`),
  ],
  [['server', 'location'], words('set_by_lua set_by_lua_block set_by_lua_file')],
  [['location'], words('content_by_lua content_by_lua_block content_by_lua_file')],
  [[], words('balancer_by_lua_block balancer_by_lua_file balancer_keepalive')],
]

const contextsOf = new Map(groups.flatMap(([contexts, names]) => names.map((name) => [name, contexts] as const)))

/** The names that the table knows. */
export const contextNames: readonly string[] = [...contextsOf.keys()]

/**
 * Where nginx allows a directive, when that is not all of http, server and location; undefined for those and for names that this
 * table does not know, empty for what stands only in an upstream. Source: the "Context" line of each directive in nginx's
 * documentation; of Lua, lua-nginx-module's table of commands.
 */
export function contextsFor(name: string): readonly DirectiveContext[] | undefined {
  return contextsOf.get(name)
}
