import type { MessagePattern } from './pattern.ts'

/** What nginx logs while it answers requests. */
export const requestMessages: readonly MessagePattern[] = [
  {
    code: 'upstream_refused',
    pattern: /^connect\(\) (?:to \S+ )?failed \(111: .*upstream/s,
    cause: 'nothing listens at the address of the upstream: the program is not running, or on another port or address',
    fix: 'start it, or correct the address of the server',
  },
  {
    code: 'upstream_unreachable',
    pattern: /^connect\(\) (?:to \S+ )?failed \((?:101|110|113): .*upstream/s,
    cause: 'there is no way to the upstream from this host: a route is missing, or a firewall is between',
    fix: 'try the address from this host (nc -vz HOST PORT), and open the firewall',
  },
  {
    code: 'upstream_socket',
    pattern: /^connect\(\) to unix:(\S+) failed \((?:2|13): /,
    cause: 'the socket $1 is not there, or the user of nginx may not write to it',
    fix: 'start the program that makes it, and give the user of nginx the right to write to it',
  },
  {
    code: 'upstream_timeout_connecting',
    pattern: /^upstream timed out \(110: .*while connecting to upstream/s,
    cause: 'the upstream did not take the connection in time: it is down, overloaded or behind a firewall that says nothing',
    fix: 'look after the upstream; proxy_connect_timeout says how long nginx waits',
  },
  {
    code: 'upstream_timeout',
    pattern: /^upstream timed out \(110: /,
    cause: 'the upstream took the request and did not go on with its answer in time',
    fix: 'find out what is slow there, or raise proxy_read_timeout for this location',
  },
  {
    code: 'upstream_closed',
    pattern:
      /^upstream prematurely closed connection|^recv\(\) failed \(104: .*upstream|^(?:writev|send)\(\) failed \((?:32|104): .*upstream/s,
    cause:
      'the upstream closed the connection before its answer was complete: it crashed, was restarted, or closes idle connections sooner than nginx',
    fix: 'look into the log of the upstream; let its keepalive timeout be longer than that of nginx',
  },
  {
    code: 'no_live_upstreams',
    pattern: /^no live upstreams/,
    cause: 'all servers of the upstream have failed lately or are down',
    fix: 'look after the servers; max_fails and fail_timeout say when one counts as failed',
  },
  {
    code: 'upstream_header_too_big',
    pattern: /^upstream sent too big header/,
    cause: 'the head of the answer, mostly its cookies, does not fit into the buffer',
    fix: 'raise proxy_buffer_size to 16k, with proxy_buffers "8 16k" and proxy_busy_buffers_size 32k',
  },
  {
    code: 'upstream_not_http',
    pattern:
      /^upstream sent (?:no valid HTTP\/1\.0 header|invalid header|invalid status|invalid "|unsupported FastCGI|unexpected)|^upstream rejected request/,
    cause:
      'what answers there does not speak the protocol that nginx was told: TLS on a plain address, HTTP/2 or FastCGI for HTTP/1.1, or another program altogether',
    fix: 'correct the address: https:// where it speaks TLS',
  },
  {
    code: 'upstream_certificate',
    pattern: /^upstream SSL certificate (?:verify error|does not match)/,
    cause: 'the certificate of the upstream is not from the CA that is trusted here, has ended, or is for another name',
    fix: 'correct proxy_ssl_trusted_certificate and proxy_ssl_name, or the certificate of the upstream',
  },
  {
    code: 'upstream_handshake',
    pattern: /(?:SSL_do_handshake\(\) failed|peer closed connection in SSL handshake).*while SSL handshaking to upstream/s,
    cause: 'TLS with the upstream failed: it speaks plain HTTP there, wants a name (SNI) or shares no protocol with this nginx',
    fix: 'use http:// where it speaks plain HTTP; otherwise set proxy_ssl_server_name on and proxy_ssl_protocols',
  },
  {
    code: 'not_resolved',
    pattern: /^(\S+) could not be resolved \((\d+): (.*?)\)/,
    cause: 'the name server answered for $1: $3',
    fix: 'correct the name, or the resolver that is asked',
  },
  {
    code: 'no_resolver',
    pattern: /^no resolver defined to resolve (?!names at)([^\s,]+)/,
    cause: 'the address of the upstream comes out of a variable, and no name server is set to look $1 up',
    fix: 'set resolver in the location, the virtual host or the settings',
  },
  {
    code: 'body_too_large',
    pattern: /^client intended to send too large (?:chunked )?body/,
    cause: 'the request is larger than client_max_body_size, which is 1m unless it is set: the client got 413',
    fix: 'raise client_max_body_size where uploads are meant to go',
  },
  {
    code: 'buffered_to_disk',
    pattern: /^an? (?:upstream response|client request body) is buffered to a temporary file/,
    cause: 'a body was larger than its buffers and went through a file: slower, and nothing worse',
    fix: 'raise proxy_buffers or client_body_buffer_size if that is common here',
  },
  {
    code: 'listing_forbidden',
    pattern: /^directory index of "(.*)" is forbidden/,
    cause: 'a folder was asked for that has no index file: the client got 403',
    fix: 'put an index file there, name it in index, or turn autoindex on',
  },
  {
    code: 'access_denied',
    pattern: /^access forbidden by rule/,
    cause: 'allow and deny keep this address out; behind a load balancer it may be the balancer’s own',
    fix: 'correct the rules, or have the address of the client taken from a header with set_real_ip_from',
  },
  {
    code: 'limited',
    pattern: /^(?:limiting|delaying) (?:requests|connections|request)/,
    cause: 'a client asked for more than limit_req or limit_conn allow',
    fix: 'nothing has to be done where that is meant; otherwise raise the rate or the burst',
  },
  {
    code: 'password_refused',
    pattern: /^user ".*": password mismatch|^user ".*" was not found in|^no user\/password was provided/,
    cause: 'the name or the password that the client sent is not in the file of users',
    fix: 'nothing has to be done unless it is someone who should get in',
  },
  {
    code: 'plain_http_to_tls',
    pattern: /^client sent plain HTTP request to HTTPS port/,
    cause: 'somebody asked the TLS port with http://: the client got 400',
    fix: 'correct the address, or redirect with error_page 497',
  },
  {
    code: 'client_handshake',
    pattern: /(?:SSL_do_handshake\(\) failed|peer closed connection in SSL handshake).*while SSL handshaking(?!.* to upstream)/s,
    cause: 'a client and nginx found no common TLS: an old client, a scan, or a key that does not fit the certificate',
    fix: 'nothing has to be done for single ones; if it is all clients, look at the certificate and the policy of TLS',
  },
  {
    code: 'bad_request',
    pattern: /^client sent (?:invalid|too long|duplicate|no|HTTP\/1\.[01] request|"Content-Length")/,
    cause: 'a request is not proper HTTP: the client got 400',
    fix: 'nothing has to be done; large_client_header_buffers lets longer headers in',
  },
  {
    code: 'file_not_found',
    pattern: /^(?:open|stat|lstat)\(\) "(.*)" failed \((?:2|20): .*(?:client: |request: )/s,
    cause: 'a request asked for "$1", which is not there: the client got 404',
    fix: 'put the file there, or correct root or alias: root keeps the path of the location, alias replaces it',
  },
]
