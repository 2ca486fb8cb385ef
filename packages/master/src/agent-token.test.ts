import fc from 'fast-check'
import { expect, test } from 'vitest'
import { newAgentToken, parseAgentToken } from './agent-token.ts'

const id = '00000000-0000-7000-8000-000000000001'

test('a token names its agent first, carries the fingerprint, and its secret only as a hash', () => {
  const { token, hash } = newAgentToken(id, 'ab'.repeat(32))
  const body = Buffer.from(token.slice('nxmesh_agent_'.length), 'base64url').toString()
  expect(body.startsWith(`{"agent_id":"${id}"`)).toBe(true)
  expect(JSON.parse(body).ca).toBe('ab'.repeat(32))
  expect(hash).toMatch(/^[0-9a-f]{64}$/)
  expect(parseAgentToken(token)).toEqual({ agentId: id, hash })
  expect(newAgentToken(id, '').token).not.toBe(token)
})

test('garbage is no token', () => {
  fc.assert(fc.property(fc.string(), (text) => parseAgentToken(text) === undefined))
  fc.assert(fc.property(fc.json(), (json) => parseAgentToken(`nxmesh_agent_${Buffer.from(json).toString('base64url')}`) === undefined))
  expect(parseAgentToken(`nxmesh_agent_${'A'.repeat(10_000)}`)).toBeUndefined()
})
