import { compileConfig } from '@nxmesh/nginx/explain/servers'
import { expect, test } from 'vitest'
import { openReadMemory } from './read-memory.ts'

const read = (size: number) => ({ config: compileConfig([]), placeOf: () => null, size })

test('what was asked for longest ago makes room for another', () => {
  const memory = openReadMemory({ most: 2, mostBytes: 100 })
  for (const key of ['a', 'b']) memory.set(key, read(1))
  expect(memory.get('a')).toBeDefined()
  memory.set('c', read(1))
  expect(['a', 'b', 'c'].filter((key) => memory.get(key))).toEqual(['a', 'c'])
})

test('no more bytes are kept than allowed, and what is larger than all is not kept', () => {
  const memory = openReadMemory({ most: 9, mostBytes: 100 })
  memory.set('a', read(60))
  memory.set('b', read(60))
  memory.set('huge', read(101))
  expect(['a', 'b', 'huge'].filter((key) => memory.get(key))).toEqual(['b'])
  memory.set('b', read(40))
  memory.set('c', read(60))
  expect(['b', 'c'].filter((key) => memory.get(key))).toEqual(['b', 'c'])
})
