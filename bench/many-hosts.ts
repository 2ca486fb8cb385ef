import type { AgentConfig, ConfigUpstream, ConfigVirtualHost } from '@nxmesh/model/agent-config'

const id = (kind: number, at: number) => `00000000-0000-4000-${8000 + kind}-${String(at).padStart(12, '0')}`
const location = { custom_headers: [], rewrite_rules: [], custom_directives: {} }

/** One of many virtual hosts with three locations, one of which goes to an upstream of its own. */
export const host = (at: number): ConfigVirtualHost => ({
  id: id(0, at),
  name: `Host ${at}`,
  server_name: `host-${at}.test www.host-${at}.test`,
  listen_port: 18_080,
  ssl_enabled: false,
  ssl_certificate_id: null,
  http2_enabled: false,
  http3_enabled: false,
  locations: [
    { ...location, path: '/', upstream_id: id(1, at), custom_headers: [{ name: 'X-Host', value: `${at}`, always: true }] },
    { ...location, path: '/static/', root: '/srv/static' },
    { ...location, path: '~ \\.php$', custom_directives: { return: '404' } },
  ],
  custom_directives: { client_max_body_size: '10m' },
})

const upstream = (at: number): ConfigUpstream => ({
  id: id(1, at),
  name: `Upstream ${at}`,
  algorithm: 'round_robin',
  servers: [1, 2].map((server) => ({
    address: `10.0.${at % 256}.${server}:8080`,
    weight: 1,
    backup: false,
    down: false,
    max_fails: 1,
    fail_timeout: 10,
  })),
  health_check: null,
  keepalive_connections: 16,
})

/** So many virtual hosts, each with its upstream. */
export function manyHosts(count: number): AgentConfig {
  return {
    virtual_hosts: Array.from({ length: count }, (_, at) => host(at)),
    upstreams: Array.from({ length: count }, (_, at) => upstream(at)),
    certificates: {},
    settings: { nginx_directives: {}, env_vars: {} },
  }
}
