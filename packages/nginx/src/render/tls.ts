import type { TlsPolicy } from '@nxmesh/model/tls'
import type { ConfigWriter } from './writer.ts'

const intermediate = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
]

const old = [
  ...intermediate,
  'ECDHE-ECDSA-AES128-SHA256',
  'ECDHE-RSA-AES128-SHA256',
  'ECDHE-ECDSA-AES128-SHA',
  'ECDHE-RSA-AES128-SHA',
  'ECDHE-ECDSA-AES256-SHA384',
  'ECDHE-RSA-AES256-SHA384',
  'ECDHE-ECDSA-AES256-SHA',
  'ECDHE-RSA-AES256-SHA',
  'AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
  'AES128-SHA256',
  'AES256-SHA256',
  'AES128-SHA',
  'AES256-SHA',
  // Without it OpenSSL 3 speaks nothing older than TLS 1.2.
  '@SECLEVEL=0',
]

/**
 * What each policy sets, by directive: Mozilla's Server Side TLS guideline 5.7, without finite-field Diffie-Hellman, which needs parameters
 * of the host's own and which no browser asks for. Key exchange is left to OpenSSL, whose own order has post-quantum groups where it
 * knows them.
 */
const directives: Record<TlsPolicy, readonly (readonly [name: string, value: string])[]> = {
  modern: [
    ['ssl_protocols', 'TLSv1.3'],
    ['ssl_prefer_server_ciphers', 'off'],
  ],
  intermediate: [
    ['ssl_protocols', 'TLSv1.2 TLSv1.3'],
    ['ssl_ciphers', intermediate.join(':')],
    ['ssl_prefer_server_ciphers', 'off'],
  ],
  old: [
    ['ssl_protocols', 'TLSv1 TLSv1.1 TLSv1.2 TLSv1.3'],
    ['ssl_ciphers', old.join(':')],
    ['ssl_prefer_server_ciphers', 'on'],
  ],
}

/** Writes what a policy sets and `isSet` does not say is set already. Source: nginx, ngx_http_ssl_module. */
export function writeTlsPolicy(writer: ConfigWriter, policy: TlsPolicy, isSet: (name: string) => boolean, indent: string): void {
  for (const [name, value] of directives[policy]) if (!isSet(name)) writer.line(`${indent}${name} ${value};`)
}

/** What sessions are kept by: one cache for the whole nginx. Tickets are off: their keys would differ between agents and never change. */
export const sessionDirectives = [
  ['ssl_session_cache', 'shared:nxmesh_tls:10m'],
  ['ssl_session_timeout', '1d'],
  ['ssl_session_tickets', 'off'],
] as const
