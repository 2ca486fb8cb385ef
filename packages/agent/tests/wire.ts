import { create } from '@bufbuild/protobuf'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import { type ConfigUpdate, ConfigUpdateSchema, LoadBalanceAlgorithm } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'

const renamed: Record<string, string> = {
  fail_timeout: 'failTimeoutSeconds',
  interval: 'intervalSeconds',
  timeout: 'timeoutSeconds',
  max_age: 'maxAgeSeconds',
}
// What the wire has in one message of their own.
const options = new Set(
  'client proxy gzip brotli real_ip access limit_req limit_conn redirect maintenance static proxy_cache proxy_cache_path upstream_protocol grpc_pass auth_basic'.split(
    ' ',
  ),
)
const maps = new Set(['custom_directives', 'nginx_directives', 'env_vars'])

/** A config in the words of the wire, written without regard to the converter that it tests: names in camel case, what is absent left out. */
export function toWire(of: { config_id: string; version: number; digest: string; config: AgentConfig }): ConfigUpdate {
  const { virtual_hosts, stream_hosts = [], upstreams, certificates, acme_thumbprints = {}, settings } = of.config
  return create(ConfigUpdateSchema, {
    configId: of.config_id,
    version: BigInt(of.version),
    configChecksum: of.digest,
    virtualHosts: virtual_hosts.map((each) => spell(each) as object),
    streamHosts: stream_hosts.map(({ custom_directives, ...rest }) => ({
      ...(plain(rest) as object),
      sslCertificateId: rest.ssl_certificate_id ?? '',
      customDirectives: custom_directives,
    })),
    upstreams: upstreams.map((each) => spell(each) as object),
    certificates: Object.fromEntries(Object.entries(certificates).map(([key, value]) => [key, spell(value) as object])),
    acmeThumbprints: acme_thumbprints,
    globalSettings: spell(settings) as object,
  })
}

function spell(value: unknown, name = ''): unknown {
  if (name === 'algorithm') return LoadBalanceAlgorithm[String(value).toUpperCase() as keyof typeof LoadBalanceAlgorithm]
  if (name === 'expires_at') return BigInt(value as number)
  if (Array.isArray(value)) return value.map((each) => spell(each))
  if (typeof value !== 'object' || value === null || maps.has(name)) return value
  const members = Object.entries(value).filter(
    ([key, member]) => member !== null && member !== undefined && !(name === '' && options.has(key)),
  )
  const optional = name === '' ? Object.entries(value).filter(([key, member]) => member !== undefined && options.has(key)) : []
  const spelled = members.map(([key, member]) => [renamed[key] ?? camel(key), spell(member, key)] as const)
  return { ...Object.fromEntries(spelled), ...(optional.length > 0 && { options: plain(Object.fromEntries(optional)) }) }
}

// The names of options are the same on both sides but for their case.
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [camel(key), plain(member)]))
}

function camel(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
