import { expect, test } from 'vitest'
import { id } from '../../tests/support/config.ts'
import { importConfig } from './import.ts'
import { readSources } from './includes.ts'
import { differencesAfterImport } from './proof.ts'

function imported(mail: string) {
  const sources = readSources(new Map([['/etc/nginx/nginx.conf', `events {}\nmail {\n${mail}\n}\n`]]), '/etc/nginx/nginx.conf')
  let ids = 0
  const found = importConfig(sources, { newId: () => id(1, ++ids), findCertificate: () => undefined })
  const differences = differencesAfterImport(sources, found)
    .filter(({ context }) => context.startsWith('mail'))
    .map(({ change, context, directive }) => `${change} ${context}: ${directive}`)
  const lines = found.lines.map(({ directive, outcome, field, message }) => [directive, outcome, field ?? message])
  return { kept: found.settings.mail_directives, differences, lines }
}

test('a mail block stays as it is, in its order', () => {
  const { kept, differences, lines } = imported(`
    server_name mail.test;
    auth_http localhost:9000/auth;
    error_log /var/log/mail.log;
    server { listen 143; protocol imap; imap_capabilities "IMAP4rev1" UIDPLUS; error_log /x; }
    proxy_pass_error_message on;
  `)
  expect(kept).toEqual([
    'server_name mail.test',
    'auth_http localhost:9000/auth',
    'server {\n    listen 143;\n    protocol imap;\n    imap_capabilities "IMAP4rev1" UIDPLUS;\n}',
    'proxy_pass_error_message on',
  ])
  expect(differences).toEqual([])
  expect(lines).toContainEqual(['proxy_pass_error_message on', 'kept', 'mail_directives.3'])
  expect(lines).toContainEqual(['imap_capabilities "IMAP4rev1" UIDPLUS', 'kept', 'mail_directives.2'])
  expect(lines.filter(([directive]) => directive?.startsWith('error_log')).map(([, outcome]) => outcome)).toEqual(['replaced', 'replaced'])
})

test('a server is taken whole or not at all', () => {
  const { kept, differences, lines } = imported(`
    auth_http 127.0.0.1:9000/auth;
    server { listen mail.test:143; }
    server { listen 143; ssl_password_file x; }
    server { listen 110; }
  `)
  expect(kept).toEqual(['auth_http 127.0.0.1:9000/auth', 'server {\n    listen 110;\n}'])
  expect(lines.filter(([, outcome]) => outcome === 'left_out').map(([directive]) => directive)).toEqual([
    'server',
    'listen mail.test:143',
    'server',
    'listen 143',
    'ssl_password_file x',
  ])
  expect(differences).toEqual([
    'removed mail server on mail.test:143: listen mail.test:143',
    'removed mail server on 143: listen 143',
    'removed mail server on 143: ssl_password_file x',
  ])
})

test('"ssl on", which newer releases refuse, goes into "listen"', () => {
  const { kept, differences, lines } = imported(`
    auth_http 127.0.0.1:9000/auth; proxy on; ssl on; ssl_certificate /c.pem; ssl_certificate_key /c.key; ssl_session_cache shared:MAIL:10m;
    server { listen 993; xclient off; }
    server { listen 143; ssl off; starttls on; }
    server { listen 995 ssl; }
  `)
  expect(kept?.filter((text) => text.startsWith('server')).map((text) => text.replaceAll(/\s+/g, ' '))).toEqual([
    'server { listen 993 ssl; xclient off; }',
    'server { listen 143; starttls on; }',
    'server { listen 995 ssl; }',
  ])
  expect(differences).toEqual([])
  expect(lines.filter(([directive]) => directive?.startsWith('ssl o')).map(([, outcome]) => outcome)).toEqual(['imported', 'imported'])
})
