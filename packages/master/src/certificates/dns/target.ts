import type { DnsProviderTarget } from './provider.ts'

/** A text of somebody else without what is secret in a target. */
export function hidden(target: DnsProviderTarget, text: string): string {
  return secretsOf(target)
    .filter((secret) => secret.length > 1)
    .reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text)
}

function secretsOf(target: DnsProviderTarget): string[] {
  switch (target.kind) {
    case 'rfc2136':
      return [target.tsig_secret]
    case 'cloudflare':
      return [target.api_token]
    case 'route53':
      return [target.secret_access_key, ...(target.session_token ? [target.session_token] : [])]
    case 'webhook':
      return target.password === null ? [] : [target.password, basicOf(target.username ?? '', target.password)]
    default:
      return target satisfies never
  }
}

/** The credentials of HTTP's basic authentication. */
export function basicOf(username: string, password: string): string {
  return Buffer.from(`${username}:${password}`).toString('base64')
}
