import { expect, test } from 'vitest'
import { certificateReferences } from './certificate-references.ts'

test('what a file includes and which certificates it names, for which server', () => {
  const text = `
    http {
      include /etc/nginx/conf.d/*.conf;
      ssl_trusted_certificate "/etc/a b.pem";
      server {
        ssl_certificate data:$variable;
        ssl_certificate certs/shop.pem; # not this one: ssl_certificate no.pem;
        server_name shop.test www.shop.test;
        location / { proxy_ssl_certificate client.pem; }
      }
    }`
  expect(certificateReferences(text)).toEqual({
    includes: ['/etc/nginx/conf.d/*.conf'],
    certificates: [
      { path: '/etc/a b.pem', server_names: [] },
      { path: 'certs/shop.pem', server_names: ['shop.test', 'www.shop.test'] },
      { path: 'client.pem', server_names: ['shop.test', 'www.shop.test'] },
    ],
  })
  expect(certificateReferences('http {')).toBeUndefined()
})
