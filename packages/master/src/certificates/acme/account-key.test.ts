import { createPrivateKey } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import { expect, test } from 'vitest'
import { newAccountKey, publicJwk, thumbprintOf } from './account-key.ts'

// The key of RFC 7515 appendix A.3.
const known = createPrivateKey({
  key: {
    kty: 'EC',
    crv: 'P-256',
    x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
    y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
    d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI',
  },
  format: 'jwk',
})
  .export({ type: 'pkcs8', format: 'pem' })
  .toString()

test('thumbprints are those of RFC 7638', async () => {
  for (const pem of [known, newAccountKey()]) expect(thumbprintOf(pem)).toBe(await calculateJwkThumbprint(publicJwk(pem)))
  expect(thumbprintOf(known)).toBe('oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U')
})
