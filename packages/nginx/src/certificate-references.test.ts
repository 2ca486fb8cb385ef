import { expect, test } from 'vitest'
import { certificateReferences, includePatterns } from './certificate-references.ts'
import { type Directive, parse } from './parse.ts'

function directivesOf(text: string): Directive[] {
  const parsed = parse(text)
  if (!parsed.ok) throw new Error(parsed.message)
  return parsed.tree.directives
}

const main = `
  http {
    include /etc/nginx/conf.d/*.conf;
    ssl_trusted_certificate "/etc/a b.pem";
    server {
      ssl_certificate data:$variable;
      ssl_certificate certs/shop.pem; # not this one: ssl_certificate no.pem;
      server_name shop.test www.shop.test;
      location / { include client.conf; }
    }
  }`

test('what a configuration includes and which certificates it names, for which server', () => {
  const directives = directivesOf(main)
  expect(includePatterns(directives)).toEqual(['/etc/nginx/conf.d/*.conf', 'client.conf'])
  expect(certificateReferences(directives, () => [])).toEqual([
    { path: '/etc/a b.pem', server_names: [] },
    { path: 'certs/shop.pem', server_names: ['shop.test', 'www.shop.test'] },
  ])
})

test('what a file says counts where it is included', () => {
  const files = {
    '/etc/nginx/conf.d/*.conf': [
      directivesOf('server { server_name one.test; include tls.conf; }'),
      directivesOf('server { include names.conf; include tls.conf; include loop.conf; }'),
    ],
    'tls.conf': [directivesOf('ssl_certificate shared.pem;')],
    'names.conf': [directivesOf('server_name two.test;')],
    'client.conf': [directivesOf('proxy_ssl_certificate client.pem;')],
    'loop.conf': [directivesOf('location / { include loop.conf; ssl_client_certificate loop.pem; }')],
  }
  expect(certificateReferences(directivesOf(main), (pattern) => files[pattern as keyof typeof files] ?? [])).toEqual([
    { path: 'shared.pem', server_names: ['one.test', 'two.test'] },
    { path: 'loop.pem', server_names: ['two.test'] },
    { path: '/etc/a b.pem', server_names: [] },
    { path: 'certs/shop.pem', server_names: ['shop.test', 'www.shop.test'] },
    { path: 'client.pem', server_names: ['shop.test', 'www.shop.test'] },
  ])
})

test('files that include each other many times over end', () => {
  const twice = directivesOf('include again; include again;')
  const files = Array.from({ length: 40 }, () => [...twice])
  const included = (pattern: string) => (pattern === 'again' ? files.slice(0, 8) : [])
  expect(certificateReferences(twice, included)).toEqual([])
})
