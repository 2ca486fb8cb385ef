import type { AgentConfig, ConfigUpstream, ConfigVirtualHost } from '@nxmesh/model/agent-config'
import type { Header, Location, RewriteRule } from '@nxmesh/model/location'
import type { TlsOptions } from '@nxmesh/model/tls'
import type { Upstream as ModelUpstream } from '@nxmesh/model/upstream'
import {
  type ConfigUpdate,
  LoadBalanceAlgorithm,
  type Header as WireHeader,
  type Location as WireLocation,
  type RewriteRule as WireRewriteRule,
  type TlsOptions as WireTlsOptions,
  type Upstream as WireUpstream,
  type VirtualHost as WireVirtualHost,
} from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { optionsOn } from './convert-options.ts'
import { streamHostOf } from './convert-stream.ts'
import { policyOf } from './tls-policy.ts'

/** The config that a message spells out: an empty string stands for what is absent or null, a missing message for null. */
export function configOf(update: ConfigUpdate): AgentConfig {
  return {
    virtual_hosts: update.virtualHosts.map(virtualHostOf),
    ...(update.streamHosts.length > 0 && { stream_hosts: update.streamHosts.map(streamHostOf) }),
    upstreams: update.upstreams.map(upstreamOf),
    certificates: Object.fromEntries(
      Object.entries(update.certificates).map(([key, { id, domain, certificatePem, privateKeyPem, expiresAt }]) => [
        key,
        { id, domain, certificate_pem: certificatePem, private_key_pem: privateKeyPem, expires_at: Number(expiresAt) },
      ]),
    ),
    ...(Object.keys(update.acmeThumbprints).length > 0 && { acme_thumbprints: { ...update.acmeThumbprints } }),
    settings: {
      nginx_directives: { ...update.globalSettings?.nginxDirectives },
      env_vars: { ...update.globalSettings?.envVars },
      ...(update.globalSettings?.tlsPolicy && { tls_policy: policyOf(update.globalSettings.tlsPolicy) }),
      ...(update.globalSettings?.httpPort && { http_port: update.globalSettings.httpPort }),
      ...optionsOn('settings', update.globalSettings?.options),
      ...(update.globalSettings && extraOf(update.globalSettings.extraDirectives)),
      ...(update.globalSettings?.streamDirectives.length && { stream_directives: [...update.globalSettings.streamDirectives] }),
      ...(update.globalSettings?.mailDirectives.length && { mail_directives: [...update.globalSettings.mailDirectives] }),
    },
  }
}

function virtualHostOf(host: WireVirtualHost): ConfigVirtualHost {
  return {
    id: host.id,
    name: host.name,
    server_name: host.serverName,
    listen_port: host.listenPort,
    ...(host.listenAddresses.length > 0 && { listen_addresses: [...host.listenAddresses] }),
    ...(host.acceptProxyProtocol && { accept_proxy_protocol: { trusted: [...host.acceptProxyProtocol.trusted] } }),
    ssl_enabled: host.sslEnabled,
    ssl_certificate_id: host.sslCertificateId || null,
    http2_enabled: host.http2Enabled,
    http3_enabled: host.http3Enabled,
    locations: host.locations.map(locationOf),
    custom_directives: { ...host.customDirectives },
    ...extraOf(host.extraDirectives),
    ...(host.tls && { tls: tlsOf(host.tls) }),
    ...optionsOn('server', host.options),
  }
}

function tlsOf({ policy, redirectHttp, hsts, ocspStapling }: WireTlsOptions): TlsOptions {
  return {
    ...(policy && { policy: policyOf(policy) }),
    redirect_http: redirectHttp,
    ocsp_stapling: ocspStapling,
    ...(hsts && { hsts: { max_age: hsts.maxAgeSeconds, include_subdomains: hsts.includeSubdomains, preload: hsts.preload } }),
  }
}

function locationOf(location: WireLocation): Location {
  return {
    path: location.path,
    ...(location.proxyPass && { proxy_pass: location.proxyPass }),
    ...(location.upstreamId && { upstream_id: location.upstreamId }),
    ...(location.root && { root: location.root }),
    ...(location.index && { index: location.index }),
    custom_headers: location.customHeaders.map(headerOf),
    rewrite_rules: location.rewriteRules.map(rewriteRuleOf),
    custom_directives: { ...location.customDirectives },
    ...optionsOn('location', location.options),
    ...extraOf(location.extraDirectives),
  }
}

function extraOf(directives: string[]): { extra_directives?: string[] } {
  return directives.length > 0 ? { extra_directives: [...directives] } : {}
}

function headerOf({ name, value, always, direction }: WireHeader): Header {
  switch (direction) {
    case '':
      return { name, value, always }
    case 'request':
    case 'response':
      return { name, value, always, direction }
    default:
      throw new Error(`the direction "${direction}" of the header ${name} is not known to this agent`)
  }
}

function rewriteRuleOf({ pattern, replacement, flag }: WireRewriteRule): RewriteRule {
  switch (flag) {
    case '':
      return { pattern, replacement }
    case 'last':
    case 'break':
    case 'redirect':
    case 'permanent':
      return { pattern, replacement, flag }
    default:
      throw new Error(`the flag "${flag}" of a rewrite rule is not known to this agent`)
  }
}

function upstreamOf(upstream: WireUpstream): ConfigUpstream {
  const check = upstream.healthCheck
  return {
    id: upstream.id,
    name: upstream.name,
    algorithm: algorithmOf(upstream),
    servers: upstream.servers.map((server) => ({
      address: server.address,
      weight: server.weight,
      backup: server.backup,
      down: server.down,
      max_fails: server.maxFails,
      fail_timeout: server.failTimeoutSeconds,
    })),
    health_check: check
      ? {
          enabled: check.enabled,
          path: check.path,
          interval: check.intervalSeconds,
          timeout: check.timeoutSeconds,
          healthy_threshold: check.healthyThreshold,
          unhealthy_threshold: check.unhealthyThreshold,
        }
      : null,
    keepalive_connections: upstream.keepaliveConnections,
  }
}

function algorithmOf({ name, algorithm }: WireUpstream): ModelUpstream['algorithm'] {
  switch (algorithm) {
    case LoadBalanceAlgorithm.LOAD_BALANCE_ALGORITHM_UNSPECIFIED:
    case LoadBalanceAlgorithm.ROUND_ROBIN:
      return 'round_robin'
    case LoadBalanceAlgorithm.LEAST_CONNECTIONS:
      return 'least_connections'
    case LoadBalanceAlgorithm.IP_HASH:
      return 'ip_hash'
    case LoadBalanceAlgorithm.WEIGHTED_ROUND_ROBIN:
      return 'weighted_round_robin'
    default:
      throw new Error(`the algorithm of the upstream ${name} is not known to this agent`)
  }
}
