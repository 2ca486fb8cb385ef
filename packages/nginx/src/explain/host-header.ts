import { Unsure } from './unsure.ts'

/** The name that a Host header asks for, or why nginx refuses it. */
export type HostHeader = { ok: true; name: string } | { ok: false; why: string }

/** Reads a Host header: without its port and a final dot, in lower case. Source: nginx, ngx_http_validate_host. */
export function hostHeader(host: string): HostHeader {
  const bad: HostHeader = { ok: false, why: 'the Host header is not valid' }
  if (/\.\.|[/\0- \x7f]/.test(host)) return bad
  if (!/^(?:[A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(?::\d*)?$/.test(host)) throw new Unsure(`whether nginx takes "${host}" for a name`)
  const name = host.startsWith('[') ? host.slice(0, host.indexOf(']') + 1) : host.replace(/:.*$/, '')
  const bare = name.replace(/\.$/, '')
  return bare === '' ? bad : { ok: true, name: bare.toLowerCase() }
}

/** Whether a name is an address, which no client sends as the server name of TLS. Source: RFC 6066, section 3. */
export function isAddress(name: string): boolean {
  return name.startsWith('[') || /^\d{1,3}(\.\d{1,3}){3}$/.test(name)
}
