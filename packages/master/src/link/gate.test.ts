import { expect, test } from 'vitest'
import { openGate } from './gate.ts'

test('turns come at once while there is room, then in order as room is given back, and a large one goes alone', () => {
  const gate = openGate(100, 60_000)
  const order: string[] = []
  const releases: Record<string, () => void> = {}
  const enter = (name: string, bytes: number) =>
    gate.enter(bytes, (release) => {
      order.push(name)
      releases[name] = release
    })
  enter('a', 60)
  enter('b', 40)
  enter('huge', 500)
  enter('c', 10)
  expect(order).toEqual(['a', 'b'])
  releases['a']?.()
  releases['a']?.()
  expect(order).toEqual(['a', 'b'])
  releases['b']?.()
  expect(order).toEqual(['a', 'b', 'huge'])
  releases['huge']?.()
  expect(order).toEqual(['a', 'b', 'huge', 'c'])
  gate.enter(80, (release) => {
    order.push('d')
    release()
    enter('e', 100)
  })
  releases['c']?.()
  expect(order).toEqual(['a', 'b', 'huge', 'c', 'd', 'e'])
  releases['e']?.()
})

test('who does not read keeps its room from others only for so long', async () => {
  const gate = openGate(10, 20)
  gate.enter(10, () => undefined)
  const started = performance.now()
  await new Promise<void>((resolve) => gate.enter(10, () => resolve()))
  expect(performance.now() - started).toBeGreaterThan(10)
})
