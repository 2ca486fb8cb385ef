import type { MessagePattern } from './pattern.ts'

/** Upstreams and their servers, while the configuration is read. */
export const upstreamMessages: readonly MessagePattern[] = [
  {
    code: 'host_not_found',
    pattern: /^host not found in (?:upstream |resolver |"?)?"?([^" ]+)"?/,
    cause: 'the name in "$1" does not resolve on this host, and nginx refuses the whole configuration for it',
    fix: 'correct the name, see to it that the host’s name server knows it, or give the address instead',
  },
  {
    code: 'invalid_upstream_address',
    pattern: /^(?:invalid (?:port|host|IPv6 address|port range)|no host|no path in the unix domain socket) in upstream "(.*?)"/,
    cause: '"$1" is no address of a server',
    fix: 'write host, host:port, [IPv6]:port or unix:/path, with a port from 1 to 65535',
  },
  {
    code: 'upstream_with_port',
    pattern: /^upstream "(.*)" may not have port (\d+)/,
    cause: '"$1" is the name of an upstream, whose servers have ports of their own',
    fix: 'leave the port out of the address',
  },
  {
    code: 'no_port_in_upstream',
    pattern: /^no port in upstream "(.*)"/,
    cause: '"$1" stands for no upstream, and as an address it lacks a port',
    fix: 'add the port, or correct the name of the upstream',
  },
  {
    code: 'duplicate_upstream',
    pattern: /^duplicate upstream "(.*)"/,
    cause: 'two upstreams are named "$1", or an address is used as a name before the upstream is defined',
    fix: 'rename one of the two',
  },
  {
    code: 'no_servers',
    pattern: /^no servers (?:are inside|in) upstream/,
    cause: 'the upstream has no server that is not a backup',
    fix: 'add a server, or take "backup" from one',
  },
  {
    code: 'unsupported_by_balancing',
    pattern: /^balancing method does not support parameter "(.*)"/,
    cause: '"$1" does not go together with ip_hash, hash or random',
    fix: 'choose round_robin or least_connections, or take "$1" away',
  },
  {
    code: 'balancing_redefined',
    pattern: /^load balancing method redefined/,
    cause: 'a balancing method comes after keepalive, or a second one after the first',
    fix: 'keep one balancing method, before keepalive',
  },
  {
    code: 'resolve_without_zone',
    pattern: /^resolving names at run time requires upstream "(.*)"/,
    cause: 'servers with "resolve" are kept in shared memory, which upstream "$1" does not have',
    fix: 'give the upstream a zone',
  },
  {
    code: 'resolve_without_resolver',
    pattern: /^no resolver defined to resolve names at run time in upstream "(.*)"/,
    cause: 'a server of "$1" is to be looked up while nginx runs, and no name server is set',
    fix: 'set resolver in the settings',
  },
  {
    code: 'resolve_unsupported',
    pattern: /^load balancing method does not support resolving names at run time/,
    cause: 'the balancing method of this upstream keeps a fixed list of servers',
    fix: 'choose round_robin or least_connections, or leave "resolve" out',
  },
  {
    code: 'service_upstream',
    pattern: /^service upstream "(.*)" (?:may not have port|requires)/,
    cause: '"service=" asks for the port in an SRV record: it needs a name without a port, and "resolve"',
    fix: 'leave the port out and add "resolve"',
  },
]
