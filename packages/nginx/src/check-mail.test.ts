import { expect, test } from 'vitest'
import { configOf } from '../tests/support/config.ts'
import { checkSettings } from './check.ts'

const auth = 'auth_http 127.0.0.1:9000/auth'
const server = (inner: string) => `server { listen 143; ${inner} }`

function problems(...mail_directives: string[]) {
  return checkSettings(configOf({ settings: { mail_directives } }).settings).map(
    ({ field, code, message }) => `${field} ${code} ${message}`,
  )
}

test.each([
  [[auth, server('')]],
  [[server(`${auth}; protocol imap;`)]],
  [[auth, 'server { listen 10.0.0.1:1110; listen [::1]:1110; listen localhost:1111; protocol pop3; }']],
  [['auth_http http://unix:/run/auth.sock:/auth', 'server { listen 25; listen *:587; smtp_auth login plain; }']],
  [
    [
      auth,
      'ssl_certificate /etc/ssl/mail.pem',
      'ssl_certificate_key /etc/ssl/mail.key',
      'server { listen 993 ssl; }',
      server('starttls on;'),
    ],
  ],
  [['server_name mail.test', 'imap_capabilities IMAP4rev1 UIDPLUS', 'auth_http_header X-Key "a b"', auth, server('')]],
])('hazard 108: %j can stand in a mail block', (directives) => {
  expect(problems(...directives)).toEqual([])
})

test.each([
  [['gzip on'], 'mail_directives.0 NOT_ALLOWED "gzip" is not allowed in the mail block'],
  [['listen 25'], 'mail_directives.0 NOT_ALLOWED "listen" cannot be set here: use the field listen_port'],
  [['error_log /var/log/x'], 'mail_directives.0 NOT_ALLOWED "error_log" may only be "off"'],
  [['include mail.d/*.conf'], 'mail_directives.0 NOT_ALLOWED "include" is not allowed: it runs code or reaches files of the host'],
  [['timeout 5s; timeout 6s'], 'mail_directives.0 INVALID_FORMAT must be exactly one "timeout" directive'],
  [['protocol imap'], 'mail_directives.0 NOT_ALLOWED "protocol" is not allowed in the mail block, only in a mail server'],
  [
    [String.raw`imap_capabilities "A\r\n* BAD"`],
    String.raw`mail_directives.0 INVALID_FORMAT "imap_capabilities" must not contain control characters, nor the escapes \r and \n`,
  ],
  [['timeout { }'], 'mail_directives.0 INVALID_FORMAT "timeout" must not be a block'],
  [['auth_http auth.internal/x'], 'mail_directives.0 INVALID_VALUE "auth_http" must go to an IP address, localhost or unix:/path'],
  [[auth, server('ssl on;')], 'mail_directives.1 NOT_ALLOWED "ssl" cannot be set here'],
  [[auth, server('server { listen 1; }')], 'mail_directives.1 NOT_ALLOWED "server" cannot be set here'],
  [[auth, server('proxy_pass a;')], 'mail_directives.1 NOT_ALLOWED "proxy_pass" cannot be set here'],
  [[auth, server('include x;')], 'mail_directives.1 NOT_ALLOWED "include" is not allowed'],
  [[auth, server('ssl_password_file x;')], 'mail_directives.1 NOT_ALLOWED "ssl_password_file" is not allowed'],
  [[auth, 'server { protocol imap; }'], 'mail_directives.1 REQUIRED a mail server must have a "listen"'],
  [[auth, 'auth_http 127.0.0.1:1'], 'mail_directives.1 DUPLICATE "auth_http" is set by mail_directives.0 already'],
  [[auth, server('timeout 1m; timeout 2m;')], 'mail_directives.1 DUPLICATE has "timeout" twice'],
  [[auth, server(''), 'server { listen *:143; }'], 'mail_directives.2 DUPLICATE listens on 143, as mail_directives.1 does'],
  [
    [auth, 'server { listen [::1]:143; listen [0::1]:143; }'],
    'mail_directives.1 DUPLICATE listens on [::1]:143, as mail_directives.1 does',
  ],
  [[server('')], 'mail_directives.0 REQUIRED a mail server must have "auth_http", here or in the mail block'],
  [[auth, 'server { listen 1430; }'], 'mail_directives.1 REQUIRED a mail server on such a port must have "protocol"'],
  [[auth, 'server { listen 993 ssl; }'], 'mail_directives.1 REQUIRED a mail server with TLS must have "ssl_certificate"'],
  [
    [auth, server('starttls only; ssl_certificate /c;')],
    'mail_directives.1 REQUIRED a mail server with TLS must have "ssl_certificate_key"',
  ],
  [[auth, 'server { listen mail.test:143; }'], 'mail_directives.1 INVALID_VALUE "listen mail.test:143" must be a port, or an IP address'],
  [
    [auth, 'server { listen unix:/run/mail.sock; protocol imap; }'],
    'mail_directives.1 INVALID_VALUE "listen unix:/run/mail.sock" must be a port',
  ],
  [[auth, 'server { listen 10.0.0.256:143; }'], 'mail_directives.1 INVALID_VALUE "listen 10.0.0.256:143" must be a port, or an IP address'],
  [[auth, 'server { listen [fe80::1]:143; }'], 'mail_directives.1 INVALID_VALUE "listen [fe80::1]:143" must be a port'],
  [[auth, 'server { listen 70000; }'], 'mail_directives.1 INVALID_VALUE "listen 70000" must be a port'],
])('%j is refused', (directives, problem) => {
  expect(problems(...directives)[0]).toContain(problem)
})
