import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fieldChanges, isEqual } from './field-changes.ts'

test('changes are named by dotted paths, with what is on one side only shown whole', () => {
  const before = { name: 'a', locations: [{ path: '/a' }, { path: '/b' }], custom: { x: '1' }, old: null }
  const after = { name: 'a', locations: [{ path: '/c', root: '/srv' }], custom: { x: '1', y: '2' }, old: false }
  expect(fieldChanges(before, after)).toEqual([
    { field: 'locations.0.path', before: '/a', after: '/c' },
    { field: 'locations.0.root', after: '/srv' },
    { field: 'locations.1', before: { path: '/b' } },
    { field: 'custom.y', after: '2' },
    { field: 'old', before: null, after: false },
  ])
})

test('a list that becomes an object is one change', () => {
  expect(fieldChanges({ a: [] }, { a: {} })).toEqual([{ field: 'a', before: [], after: {} }])
})

test('values are equal exactly where no field differs', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      expect(fieldChanges(a, structuredClone(a))).toEqual([])
      expect(fieldChanges(a, b).length === 0).toBe(isEqual(a, b))
    }),
  )
})
