import { expect, test } from 'vitest'
import { openTokenMemory } from './token-memory.ts'

const claims = (userId: string) => ({ userId, sessionId: 's', ends: 1000 })

test('a token is remembered until it ends', () => {
  const memory = openTokenMemory()
  memory.set('a', claims('u'))
  expect(memory.get('a', 999)).toEqual(claims('u'))
  expect(memory.get('a', 1000)).toBeUndefined()
  expect(memory.get('b', 0)).toBeUndefined()
})

test('the oldest makes room, and all can be forgotten', () => {
  const memory = openTokenMemory(2)
  for (const token of ['a', 'b', 'c']) memory.set(token, claims(token))
  expect(['a', 'b', 'c'].map((token) => memory.get(token, 0)?.userId)).toEqual([undefined, 'b', 'c'])
  memory.forgetAll()
  expect(memory.get('c', 0)).toBeUndefined()
})
