import { canonicalAddress, isIpAddress } from '@nxmesh/model/listen-address'
import type { Settings } from '@nxmesh/model/settings'
import { type Directive, parse } from './parse.ts'
import type { Socket } from './shared-sockets.ts'

const words = (text: string) => text.trim().split(/\s+/)

// Those with files and sockets of their own, which no other place lets users write: a mail server has no fields.
const ours = new Set(['server_name', 'ssl_certificate', 'ssl_certificate_key'])

const inBoth = new Set([
  ...ours,
  ...words(`resolver resolver_timeout timeout max_errors
    auth_http auth_http_header auth_http_pass_client_cert auth_http_timeout
    proxy proxy_buffer proxy_pass_error_message proxy_protocol proxy_smtp_auth proxy_timeout set_real_ip_from xclient
    imap_auth imap_capabilities imap_client_buffer pop3_auth pop3_capabilities
    smtp_auth smtp_capabilities smtp_client_buffer smtp_greeting_delay
    starttls ssl_certificate_compression ssl_ciphers ssl_client_certificate ssl_crl ssl_dhparam ssl_ecdh_curve ssl_prefer_server_ciphers ssl_protocols
    ssl_session_ticket_key ssl_session_tickets ssl_session_timeout ssl_trusted_certificate ssl_verify_client ssl_verify_depth`),
])

const inServers = new Set(['listen', 'protocol'])

/** The names that the table knows, but for that of servers. */
export const mailNames: readonly string[] = [...inBoth, ...inServers]

const repeatable = new Set(
  words(`server listen auth_http_header set_real_ip_from ssl_certificate ssl_certificate_key ssl_protocols ssl_session_ticket_key
    imap_auth imap_capabilities pop3_auth pop3_capabilities smtp_auth smtp_capabilities`),
)

/** Tells whether nginx takes a directive more than once in the mail block or in one of its servers. */
export function mayRepeatInMail(name: string): boolean {
  return repeatable.has(name)
}

/** Tells whether a directive of the mail block is one that users may write there and nowhere else. */
export function isOurPartOfMail(name: string, block: string | undefined): boolean {
  return ours.has(name) || (block === 'server' ? name === 'listen' : name === 'server')
}

/**
 * Tells whether nginx allows a directive in its mail block, or in a server there. Source: the "Context" line of each directive in the documentation
 * of the ngx_mail_* modules; `ssl`, which newer releases refuse, is not among them.
 */
export function isOfMail(name: string, inServer: boolean): boolean {
  return inBoth.has(name) || (inServer ? inServers.has(name) : name === 'server')
}

/** One `listen` of a mail server: the socket as the kernel names it, and whether it speaks TLS. */
export interface MailListen extends Socket {
  ssl: boolean
}

/** Reads `listen` of a mail server, or says why it cannot be had. Source: nginx mail core module, "listen". */
export function readMailListen([where = '', ...parameters]: readonly string[]): MailListen | string {
  const [, bracketed, plain, port, bare] = /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})|(\d{1,5}))$/.exec(where) ?? []
  const number = Number(port ?? bare)
  if (!(number >= 1 && number <= 65_535)) return `"listen ${where}" must be a port, or an IP address and a port`
  const written = bracketed ?? plain ?? '*'
  const address = written === '*' ? '0.0.0.0' : written === 'localhost' ? '127.0.0.1' : canonicalAddress(written)
  // nginx has no way to say on which interface a link-local address is.
  if (!isIpAddress(address) || /^fe[89ab]/.test(address))
    return `"listen ${where}" must be a port, or an IP address and a port: a name would stop nginx on the day it does not resolve`
  return { port: number, address, ssl: parameters.includes('ssl') }
}

/** What a mail server listens on, as far as it can be had. */
export function mailListensOf({ block }: Directive): MailListen[] {
  if (block?.kind !== 'directives') return []
  return block.directives.flatMap(({ name, args }) => {
    const read = name === 'listen' ? readMailListen(args.map(({ value }) => value)) : ''
    return typeof read === 'string' ? [] : read
  })
}

/** What the mail servers of settings listen on, each with the field that says it. */
export function mailListens({ mail_directives = [] }: Settings): (MailListen & { field: string })[] {
  return mail_directives.flatMap((text, at) => {
    const parsed = parse(text)
    const listens = parsed.ok ? parsed.tree.directives.flatMap(mailListensOf) : []
    return listens.map((listen) => ({ ...listen, field: `mail_directives.${at}` }))
  })
}
