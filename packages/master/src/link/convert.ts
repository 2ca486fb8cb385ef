import type { MessageInitShape } from '@bufbuild/protobuf'
import type { AgentConfig, ConfigUpstream, ConfigVirtualHost } from '@nxmesh/model/agent-config'
import { type Header, type Location, type RewriteRule, rewriteFlags } from '@nxmesh/model/location'
import { type TlsOptions, tlsPolicy } from '@nxmesh/model/tls'
import type { HealthCheck } from '@nxmesh/model/upstream'
import {
  type ConfigUpdate,
  type ConfigUpdateSchema,
  type HealthCheckConfig,
  LoadBalanceAlgorithm,
  type Header as WireHeader,
  type Location as WireLocation,
  type RewriteRule as WireRewriteRule,
  type TlsOptions as WireTlsOptions,
  type Upstream as WireUpstream,
  type VirtualHost as WireVirtualHost,
} from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { fromOptions, toOptions } from './convert-options.ts'
import { fromStreamHost, toStreamHost } from './convert-stream.ts'

const algorithms = {
  round_robin: LoadBalanceAlgorithm.ROUND_ROBIN,
  least_connections: LoadBalanceAlgorithm.LEAST_CONNECTIONS,
  ip_hash: LoadBalanceAlgorithm.IP_HASH,
  weighted_round_robin: LoadBalanceAlgorithm.WEIGHTED_ROUND_ROBIN,
} as const

type Update = MessageInitShape<typeof ConfigUpdateSchema>

export interface NamedConfig {
  configId: string
  version: number
  digest: string
  config: AgentConfig
}

/** Spells a config out in the messages of the wire: what is absent or null becomes the empty string or no message. */
export function toConfigUpdate({ configId, version, digest, config }: NamedConfig): Update {
  return {
    configId,
    version: BigInt(version),
    configChecksum: digest,
    virtualHosts: config.virtual_hosts.map(toVirtualHost),
    streamHosts: (config.stream_hosts ?? []).map(toStreamHost),
    upstreams: config.upstreams.map(toUpstream),
    certificates: Object.fromEntries(
      Object.entries(config.certificates).map(([key, certificate]) => [
        key,
        {
          id: certificate.id,
          domain: certificate.domain,
          certificatePem: certificate.certificate_pem,
          privateKeyPem: certificate.private_key_pem,
          expiresAt: BigInt(certificate.expires_at),
        },
      ]),
    ),
    globalSettings: {
      nginxDirectives: config.settings.nginx_directives,
      envVars: config.settings.env_vars,
      tlsPolicy: config.settings.tls_policy ?? '',
      httpPort: config.settings.http_port ?? 0,
      ...toOptions('settings', config.settings),
      extraDirectives: config.settings.extra_directives ?? [],
      streamDirectives: config.settings.stream_directives ?? [],
      mailDirectives: config.settings.mail_directives ?? [],
    },
    acmeThumbprints: config.acme_thumbprints ?? {},
  }
}

/** The inverse of toConfigUpdate. */
export function fromConfigUpdate(update: ConfigUpdate): NamedConfig {
  return {
    configId: update.configId,
    version: Number(update.version),
    digest: update.configChecksum,
    config: {
      virtual_hosts: update.virtualHosts.map(fromVirtualHost),
      ...(update.streamHosts.length === 0 ? {} : { stream_hosts: update.streamHosts.map(fromStreamHost) }),
      upstreams: update.upstreams.map(fromUpstream),
      certificates: Object.fromEntries(
        Object.entries(update.certificates).map(([key, certificate]) => [
          key,
          {
            id: certificate.id,
            domain: certificate.domain,
            certificate_pem: certificate.certificatePem,
            private_key_pem: certificate.privateKeyPem,
            expires_at: Number(certificate.expiresAt),
          },
        ]),
      ),
      ...(Object.keys(update.acmeThumbprints).length === 0 ? {} : { acme_thumbprints: update.acmeThumbprints }),
      settings: {
        nginx_directives: update.globalSettings?.nginxDirectives ?? {},
        env_vars: update.globalSettings?.envVars ?? {},
        ...(update.globalSettings?.tlsPolicy ? { tls_policy: tlsPolicy.parse(update.globalSettings.tlsPolicy) } : {}),
        ...(update.globalSettings?.httpPort ? { http_port: update.globalSettings.httpPort } : {}),
        ...fromOptions('settings', update.globalSettings?.options),
        ...fromExtra(update.globalSettings?.extraDirectives),
        ...(update.globalSettings?.streamDirectives.length ? { stream_directives: update.globalSettings.streamDirectives } : {}),
        ...(update.globalSettings?.mailDirectives.length ? { mail_directives: update.globalSettings.mailDirectives } : {}),
      },
    },
  }
}

function toVirtualHost(host: ConfigVirtualHost): NonNullable<Update['virtualHosts']>[number] {
  return {
    id: host.id,
    name: host.name,
    serverName: host.server_name,
    listenPort: host.listen_port,
    listenAddresses: host.listen_addresses ?? [],
    ...(host.accept_proxy_protocol ? { acceptProxyProtocol: host.accept_proxy_protocol } : {}),
    sslEnabled: host.ssl_enabled,
    sslCertificateId: host.ssl_certificate_id ?? '',
    http2Enabled: host.http2_enabled,
    http3Enabled: host.http3_enabled,
    locations: host.locations.map((location) => ({
      path: location.path,
      proxyPass: location.proxy_pass ?? '',
      upstreamId: location.upstream_id ?? '',
      root: location.root ?? '',
      index: location.index ?? '',
      customHeaders: location.custom_headers.map((header) => ({ ...header, direction: header.direction ?? '' })),
      rewriteRules: location.rewrite_rules.map((rule) => ({ ...rule, flag: rule.flag ?? '' })),
      customDirectives: location.custom_directives,
      ...toOptions('location', location),
      extraDirectives: location.extra_directives ?? [],
    })),
    customDirectives: host.custom_directives,
    extraDirectives: host.extra_directives ?? [],
    ...(host.tls ? { tls: toTls(host.tls) } : {}),
    ...toOptions('server', host),
  }
}

function toTls({
  policy,
  redirect_http,
  hsts,
  ocsp_stapling,
}: TlsOptions): NonNullable<NonNullable<Update['virtualHosts']>[number]['tls']> {
  const strict = hsts && { maxAgeSeconds: hsts.max_age, includeSubdomains: hsts.include_subdomains, preload: hsts.preload }
  return { policy: policy ?? '', redirectHttp: redirect_http, ocspStapling: ocsp_stapling, ...(strict ? { hsts: strict } : {}) }
}

function fromTls({ policy, redirectHttp, hsts, ocspStapling }: WireTlsOptions): TlsOptions {
  return {
    ...(policy === '' ? {} : { policy: tlsPolicy.parse(policy) }),
    redirect_http: redirectHttp,
    ocsp_stapling: ocspStapling,
    ...(hsts ? { hsts: { max_age: hsts.maxAgeSeconds, include_subdomains: hsts.includeSubdomains, preload: hsts.preload } } : {}),
  }
}

function fromVirtualHost(host: WireVirtualHost): ConfigVirtualHost {
  return {
    id: host.id,
    name: host.name,
    server_name: host.serverName,
    listen_port: host.listenPort,
    ...(host.listenAddresses.length === 0 ? {} : { listen_addresses: host.listenAddresses }),
    ...(host.acceptProxyProtocol ? { accept_proxy_protocol: { trusted: host.acceptProxyProtocol.trusted } } : {}),
    ssl_enabled: host.sslEnabled,
    ssl_certificate_id: host.sslCertificateId === '' ? null : host.sslCertificateId,
    http2_enabled: host.http2Enabled,
    http3_enabled: host.http3Enabled,
    locations: host.locations.map(fromLocation),
    custom_directives: host.customDirectives,
    ...fromExtra(host.extraDirectives),
    ...(host.tls ? { tls: fromTls(host.tls) } : {}),
    ...fromOptions('server', host.options),
  }
}

function fromLocation(location: WireLocation): Location {
  return {
    path: location.path,
    ...(location.proxyPass !== '' && { proxy_pass: location.proxyPass }),
    ...(location.upstreamId !== '' && { upstream_id: location.upstreamId }),
    ...(location.root !== '' && { root: location.root }),
    ...(location.index !== '' && { index: location.index }),
    custom_headers: location.customHeaders.map(fromHeader),
    rewrite_rules: location.rewriteRules.map(fromRewriteRule),
    custom_directives: location.customDirectives,
    ...fromOptions('location', location.options),
    ...fromExtra(location.extraDirectives),
  }
}

function fromExtra(directives: string[] = []): { extra_directives?: string[] } {
  return directives.length === 0 ? {} : { extra_directives: directives }
}

function fromHeader({ name, value, always, direction }: WireHeader): Header {
  return { name, value, always, ...((direction === 'request' || direction === 'response') && { direction }) }
}

function fromRewriteRule({ pattern, replacement, flag }: WireRewriteRule): RewriteRule {
  const known = rewriteFlags.find((word) => word === flag)
  return { pattern, replacement, ...(known && { flag: known }) }
}

function toUpstream(upstream: ConfigUpstream): NonNullable<Update['upstreams']>[number] {
  return {
    id: upstream.id,
    name: upstream.name,
    algorithm: algorithms[upstream.algorithm],
    servers: upstream.servers.map((server) => ({
      address: server.address,
      weight: server.weight,
      backup: server.backup,
      down: server.down,
      maxFails: server.max_fails,
      failTimeoutSeconds: server.fail_timeout,
    })),
    ...(upstream.health_check && { healthCheck: toHealthCheck(upstream.health_check) }),
    keepaliveConnections: upstream.keepalive_connections,
  }
}

function toHealthCheck(check: HealthCheck) {
  return {
    enabled: check.enabled,
    path: check.path,
    intervalSeconds: check.interval,
    timeoutSeconds: check.timeout,
    healthyThreshold: check.healthy_threshold,
    unhealthyThreshold: check.unhealthy_threshold,
  }
}

function fromUpstream(upstream: WireUpstream): ConfigUpstream {
  return {
    id: upstream.id,
    name: upstream.name,
    algorithm: algorithmOf(upstream.algorithm),
    servers: upstream.servers.map((server) => ({
      address: server.address,
      weight: server.weight,
      backup: server.backup,
      down: server.down,
      max_fails: server.maxFails,
      fail_timeout: server.failTimeoutSeconds,
    })),
    health_check: upstream.healthCheck ? fromHealthCheck(upstream.healthCheck) : null,
    keepalive_connections: upstream.keepaliveConnections,
  }
}

function fromHealthCheck(check: HealthCheckConfig): HealthCheck {
  return {
    enabled: check.enabled,
    path: check.path,
    interval: check.intervalSeconds,
    timeout: check.timeoutSeconds,
    healthy_threshold: check.healthyThreshold,
    unhealthy_threshold: check.unhealthyThreshold,
  }
}

function algorithmOf(value: WireUpstream['algorithm']): keyof typeof algorithms {
  const words = Object.keys(algorithms) as (keyof typeof algorithms)[]
  return words.find((word) => algorithms[word] === value) ?? 'round_robin'
}
