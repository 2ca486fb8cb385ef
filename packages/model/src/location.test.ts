import { expect, test } from 'vitest'
import { proxyPass } from './location.ts'

test.each([
  'http://localhost:8080/health',
  'https://[::1]:8443',
  'http://unix:/run/app.sock:/path',
  'http://127.0.0.1:9000$request_uri',
  'http://$host:$server_port/',
  'http://backend/a?b=c',
])('%s is taken', (address) => expect(proxyPass.safeParse(address).success).toBe(true))

test.each([
  'localhost:80',
  'ftp://a',
  'http://',
  'http://a b',
  'http://a;b',
  'http://a"b',
  'http://a:0',
  'http://a:99999',
  'http://a:80x',
  'http://a{b}',
  'http://a\\b',
  'http://a\nb',
])('%j is refused', (address) => expect(proxyPass.safeParse(address).success).toBe(false))
