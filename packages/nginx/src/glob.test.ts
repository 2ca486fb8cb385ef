import { describe, expect, test } from 'vitest'
import { glob, isPattern } from './glob.ts'

describe('glob', () => {
  test('gives the paths in the order of their bytes', () => {
    const paths = ['/c/2-a.conf', '/c/10-b.conf', '/c/A.conf', '/c/é.conf', '/c/z.conf', '/c/a.conf~', '/c/.h.conf', '/c/d/x.conf']
    expect(glob('/c/*', paths)).toEqual(['/c/10-b.conf', '/c/2-a.conf', '/c/A.conf', '/c/a.conf~', '/c/z.conf', '/c/é.conf'])
    expect(glob('/c/*/*.conf', paths)).toEqual(['/c/d/x.conf'])
    expect(glob('/c/.*', paths)).toEqual(['/c/.h.conf'])
  })

  test('takes time in proportion to pattern and name', () => {
    const start = performance.now()
    expect(glob(`/${'a*'.repeat(200)}b`, [`/${'a'.repeat(20_000)}`])).toEqual([])
    expect(performance.now() - start).toBeLessThan(2000)
  })

  test('knows patterns', () => {
    expect(['/a/*.conf', '/a/b?', '/a/[b]', '/a/b.conf'].map(isPattern)).toEqual([true, true, true, false])
  })
})
