import type { Statement } from './statement.ts'

/** Where a request is passed to: the server, and the rest of the address, which replaces the URI. */
export interface Address {
  authority: string
  uri: string
}

const passing = /^(proxy|grpc|fastcgi|uwsgi|scgi|memcached)_pass$/
// These begin with a slash or a question mark, so the name of the server ends before them.
const parts = /^(?:[a-z]+:\/\/)?((?:(?!\$\{?(?:request_uri|uri|document_uri|is_args)\b)[^/?])*)(.*)$/s

/** Where a statement passes requests to; undefined for one that passes none. */
export function passesTo({ name, args }: Statement): Address | undefined {
  return passing.test(name) && args[0] !== undefined ? addressIn(args[0]) : undefined
}

/** The server that a text names, and the rest of the address. */
export function addressIn(text: string): Address {
  const [, authority = '', uri = ''] = parts.exec(text) ?? []
  return { authority, uri }
}
