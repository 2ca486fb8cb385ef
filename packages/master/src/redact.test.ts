import { expect, test } from 'vitest'
import { redacted } from './redact.ts'

const secret = 'hunter2hunter2'

test.each<[string, unknown]>([
  ['a password', { password: secret }],
  ['a new password', { new_password: secret }],
  ['a token', { token: secret }],
  ['a hash of one', { token_hash: secret }],
  ['tokens of a session', { access_token: secret, refresh_token: secret }],
  ['a key', [{ private_key_pem: secret }]],
  ['a header', { custom_headers: [{ name: 'Authorization', value: `Basic ${secret}` }] }],
  ['a header of a service', { custom_headers: [{ name: 'X-Api-Key', value: secret }] }],
  ['a directive', { custom_directives: { proxy_set_header: `Authorization "Bearer ${secret}"` } }],
  ['a directive with more', { custom_directives: { proxy_set_header: ['Host x', `X-Auth-Token ${secret}`] } }],
  ['a cookie', { custom_directives: { proxy_set_header: `Cookie "session=${secret}"` } }],
  ['an environment', { env_vars: { DB_PASSWORD: secret, AWS_SECRET_ACCESS_KEY: secret, GITHUB_TOKEN: secret } }],
  ['an address with a password', { proxy_pass: `http://user:${secret}@backend/` }],
  ['a token of ours in a text', { note: `nxm_${secret}` }],
  ['an address with a password that holds an @', { proxy_pass: `http://user:a@${secret}@backend/` }],
  ['an environment under any name', { env_vars: { STRIPE_KEY: secret, DB_PASS: secret } }],
  ['an invitation', { note: `nxmesh_invitation_${secret}` }],
  ['a PEM', { text: `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----` }],
])('%s is left out', (_what, value) => {
  expect(JSON.stringify(redacted(value))).not.toContain(secret)
})

// With a regular expression that backtracks this would take hours.
test.each(['secret', '-secret-', 'password ', '//a:', '-----BEGIN PRIVATE KEY '])('%j over and over is read once', (part) => {
  const text = part.repeat(300_000 / part.length)
  expect(String(redacted(text)).length).toBeLessThanOrEqual(text.length + 10)
})

test('the rest stays as it is', () => {
  const host = {
    name: 'token service',
    server_name: 'tokens.example.com',
    ssl_certificate_id: '550e8400-e29b-41d4-a716-446655440000',
    locations: [{ path: '/login', proxy_pass: 'http://127.0.0.1:8080/', custom_headers: [{ name: 'X-Real-IP', value: '$remote_addr' }] }],
    custom_directives: { proxy_cache_key: '$scheme$host$uri', keepalive_timeout: '5s' },
    expires_at: '2026-01-01T00:00:00Z',
    must_change_password: false,
    keepalive_connections: 0,
    ssl_enabled: null,
  }
  expect(redacted(host)).toEqual(host)
})
