import type { MessagePattern } from './pattern.ts'

/** Addresses, ports and the names of virtual hosts. */
export const listeningMessages: readonly MessagePattern[] = [
  {
    code: 'port_in_use',
    pattern: /^bind\(\) to (\S+) failed \(98:|^still could not bind\(\)/,
    cause: 'another program listens on $1 already, or nginx itself on another address with the same port',
    fix: 'stop the other program (ss -ltnp names it), or choose another port',
  },
  {
    code: 'port_not_permitted',
    pattern: /^bind\(\) to (\S+) failed \(13:/,
    cause:
      'the user that nginx is started as may not open $1: ports below 1024 are for root or those with CAP_NET_BIND_SERVICE, and SELinux has a list of its own',
    fix: 'choose a port from 1024 on, start nginx as root, or give the binary that capability',
  },
  {
    code: 'address_not_here',
    pattern: /^bind\(\) to (\S+) failed \(99:/,
    cause: 'this host does not have the address of $1',
    fix: 'listen on an address that the host has, or on the port alone',
  },
  {
    code: 'no_ipv6',
    pattern: /^socket\(\) (\S+) failed \(97:/,
    cause: 'IPv6 is turned off on this host',
    fix: 'listen on IPv4 alone, or turn IPv6 on',
  },
  {
    code: 'duplicate_default_server',
    pattern: /^a duplicate default server for (\S+)/,
    cause: 'two virtual hosts are to answer for all other names on $1',
    fix: 'leave one of the two as the default',
  },
  {
    code: 'duplicate_listen',
    pattern: /^a duplicate listen (\S+)/,
    cause: 'one virtual host listens on $1 twice',
    fix: 'take one of the two away',
  },
  {
    code: 'duplicate_listen_options',
    pattern: /^duplicate listen options for (\S+)/,
    cause: 'options of a socket, as backlog or reuseport, belong to the address: they stand at one virtual host of $1 and no other',
    fix: 'leave them at one of the two',
  },
  {
    code: 'protocol_redefined',
    pattern: /^protocol options redefined for (\S+)/,
    cause: 'virtual hosts on $1 do not agree on ssl, http2 or proxy_protocol, and these hold for the whole port',
    fix: 'say the same at each of them, or use another port',
  },
  {
    code: 'conflicting_server_name',
    pattern: /^conflicting server name "(.*)" on (\S+), ignored/,
    cause: 'another virtual host on $2 has the name "$1" already: this one never gets its requests',
    fix: 'take the name from one of the two',
  },
  {
    code: 'invalid_server_name',
    pattern:
      /^(?:invalid server name or wildcard|invalid hostname or wildcard) "(.*?)"|^server name "(.*)" (?:is invalid|has suspicious symbols)/,
    cause: 'names may begin or end in one "*." or ".*", and hold no port, path or scheme',
    fix: 'write the bare name: www.example.com, *.example.com or ~ and a regular expression',
  },
  {
    code: 'invalid_listen',
    pattern: /^(?:invalid (?:port|host|IPv6 address|port range|parameters?)|no host) in "(.*)" of the "listen" directive/,
    cause: '"$1" is no address to listen on',
    fix: 'write a port from 1 to 65535, or address:port, with an IPv6 address in [ ]',
  },
  {
    code: 'quic_without_tls13',
    pattern: /^"ssl_protocols" must enable TLSv1\.3 for the "listen \.\.\. (\w+)" directive/,
    cause: 'HTTP/3 needs TLS 1.3',
    fix: 'add TLSv1.3 to ssl_protocols, or turn HTTP/3 off',
  },
  {
    code: 'missing_module',
    pattern: /^the "(.*)" (?:parameter|directive) requires (?:the )?(ngx_\w+)/,
    cause: 'this nginx was built without $2',
    fix: 'install an nginx that has it, or turn the option off',
  },
]
