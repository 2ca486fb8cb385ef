import { expect, test } from 'vitest'
import { type KnownName, settled, unknownName } from './settle.ts'

const second = 1000

/** The addresses that are used after each answer, one every 15 seconds. */
function follow(answers: string[], from: KnownName = unknownName): string[] {
  let known = from
  return answers.map((answer, turn) => {
    known = settled(known, answer.split(' '), turn * 15 * second)
    return known.addresses.join(' ')
  })
}

test('the first answer is used at once, and a name that moves is followed at once', () => {
  expect(follow(['a', 'a', 'b', 'b'])).toEqual(['a', 'a', 'b', 'b'])
})

test('an answer that keeps an address must stay the same for a while', () => {
  expect(follow(['a', 'a b', 'a b', 'a b', 'a b'])).toEqual(['a', 'a', 'a', 'a', 'a b'])
  expect(follow(['a b', 'a', 'a b', 'a', 'a b', 'a', 'a b'])).toEqual(Array.from({ length: 7 }, () => 'a b'))
})

test('a name that moves again and again is followed ever more slowly, and quickly again once it has stayed', () => {
  const answers = Array.from({ length: 240 }, (_, turn) => `a${turn}`)
  const used = follow(answers)
  const moves = used.flatMap((addresses, turn) => (turn > 0 && addresses !== used[turn - 1] ? [turn] : []))
  expect(moves).toEqual([1, 3, 7, 15, 31, 63, 127])
  const { moved } = settled({ addresses: ['a'], moved: { at: 0, pauseMs: 3_600_000 } }, ['a'], 7_200_000)
  expect(moved).toBeUndefined()
})
