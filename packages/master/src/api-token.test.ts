import { expect, test } from 'vitest'
import { apiTokenHash, newApiToken } from './api-token.ts'

test('a token carries its prefix and a checksum, and is known by its hash', () => {
  const { token, prefix, hash } = newApiToken()
  expect(token).toMatch(/^nxm_[0-9A-Za-z]{46}$/)
  expect(token.startsWith(prefix)).toBe(true)
  expect(apiTokenHash(token)).toBe(hash)
  expect(hash).not.toContain(token.slice(4))
})

test('a token with any letter changed is none', () => {
  const { token } = newApiToken()
  for (let at = 0; at < token.length; at++) {
    const other = token[at] === 'x' ? 'y' : 'x'
    expect(apiTokenHash(token.slice(0, at) + other + token.slice(at + 1))).toBeUndefined()
  }
  expect(apiTokenHash(`${token} `)).toBeUndefined()
  expect(apiTokenHash('')).toBeUndefined()
})
