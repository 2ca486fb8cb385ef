import { expect, test } from 'vitest'
import { signedHeaders } from './sigv4.ts'

// Of the test suite that AWS publishes for version 4.
const credentials = { access_key_id: 'AKIDEXAMPLE', secret_access_key: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', session_token: null }
const scope = { region: 'us-east-1', service: 'service', now: Date.parse('2015-08-30T12:36:00Z') }
const form = { 'content-type': 'application/x-www-form-urlencoded' }

test.each([
  ['get-vanilla', 'GET', '/', {}, '', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
  [
    'get-vanilla-query-order-key-case',
    'GET',
    '/?Param2=value2&Param1=value1',
    {},
    '',
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  ],
  ['post-vanilla', 'POST', '/', {}, '', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
  ['post-x-www-form-urlencoded', 'POST', '/', form, 'Param1=value1', 'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a'],
])('%s', (_, method, path, headers, body, signature) => {
  const request = { method, url: `https://example.amazonaws.com${path}`, headers, body }
  expect(signedHeaders(request, credentials, scope)['authorization']).toContain(`Signature=${signature}`)
})
