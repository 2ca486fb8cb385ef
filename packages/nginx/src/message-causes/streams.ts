import type { MessagePattern } from './pattern.ts'

/** Connections and datagrams that are passed on as they are. */
export const streamMessages: readonly MessagePattern[] = [
  {
    code: 'stream_without_answer',
    pattern: /^no handler for server$/,
    cause: 'the server of a stream says nowhere what becomes of a connection',
    fix: 'choose an upstream, or give it proxy_pass, pass or return',
  },
  {
    code: 'stream_port_twice',
    pattern: /^duplicate "(.*)" address and port pair$/,
    cause: 'two servers of streams listen on $1, and before 1.25.5 nothing could tell their connections apart',
    fix: 'give one of them another port, or let one choose by the name with ssl_preread and a map',
  },
  {
    code: 'not_for_udp',
    pattern: /^(?:"listen" directive )?"([a-z_]+)" parameter is incompatible with "udp"|^(cannot pass udp connection)/,
    cause: 'datagrams have no connection that it could hold for',
    fix: 'take "$1" away, or use TCP',
  },
  {
    code: 'no_listen',
    pattern: /^no "listen" is defined for server/,
    cause: 'a server of a stream has no port that goes without saying',
    fix: 'give it a listen',
  },
  {
    code: 'pass_without_address',
    pattern: /^"pass" directive has no (?:addresses|port)|^no addresses in pass "/,
    cause: '"pass" hands a connection to a port of this nginx, and looks up no names',
    fix: 'write an IP address with a port, unix:/path or a variable that holds one; proxy_pass leads to other hosts',
  },
  {
    code: 'udp_refused',
    pattern: /^(?:recv|send)\(\) failed \(111: .*upstream/s,
    cause: 'nothing listens at the UDP port of the upstream: its host said so',
    fix: 'start the program there, or correct the address of the server',
  },
  {
    code: 'proxy_protocol_missing',
    pattern: /^broken header: .*while reading PROXY protocol/s,
    cause: 'the client began to speak without the header of the PROXY protocol that this port asks for',
    fix: 'let the proxy in front send it, or take accept_proxy_protocol away where clients come by themselves',
  },
  {
    code: 'preread_full',
    pattern: /^preread buffer full/,
    cause: 'the first words of the client, mostly a long TLS greeting, do not fit into the buffer that they are looked at in',
    fix: 'raise preread_buffer_size to 32k',
  },
]
