import { expect, test } from 'vitest'
import { explainProblem, readProblem } from './problem.ts'

// RFC 8555 section 6.7, RFC 9773 section 7.4, the profiles draft, and ours.
const types = `accountDoesNotExist alreadyRevoked badCSR badNonce badPublicKey badRevocationReason badSignatureAlgorithm caa compound connection
  dns externalAccountRequired incorrectResponse invalidContact malformed orderNotReady rateLimited rejectedIdentifier serverInternal tls
  unauthorized unsupportedContact unsupportedIdentifier userActionRequired alreadyReplaced invalidProfile unreachable malformedAnswer`

const unknown = explainProblem(readProblem({ type: 'urn:ietf:params:acme:error:newKind', detail: 'Why.' }, 400, null))

test.each(types.split(/\s+/))('%s is explained', (type) => {
  const problem = readProblem({ type: `urn:ietf:params:acme:error:${type}`, detail: 'Why.' }, null, null)
  const { message, fix } = explainProblem(problem)
  expect(message).toMatch(/^[^:]+: Why\.$/)
  expect(message).not.toBe(unknown.message)
  expect(fix).toMatch(/\.$/)
})

test('what nobody knows yet is told as the CA tells it', () => {
  expect(unknown).toEqual({ message: 'The CA refused: Why.', fix: 'Look at what the CA says.' })
  for (const type of ['constructor', '__proto__']) expect(explainProblem(readProblem({ type }, 400, null)).message).toBe('The CA refused.')
})

test('a problem of several names tells each', () => {
  const caa = { type: 'urn:ietf:params:acme:error:caa', detail: 'forbidden', identifier: { type: 'dns', value: 'a.test' } }
  const body = { type: 'urn:ietf:params:acme:error:compound', detail: 'Two problems.', subproblems: [caa, { detail: 'more' }] }
  expect(explainProblem(readProblem(body, 403, null)).message).toBe('Several names failed: Two problems.; a.test: forbidden; more.')
})

test.each([
  ['of a challenge', null, 'port 80'],
  ['of a request', 403, 'another ACME account'],
])('unauthorized %s', (_what, status, fix) => {
  expect(explainProblem(readProblem({ type: 'urn:ietf:params:acme:error:unauthorized' }, status, null)).fix).toContain(fix)
})
