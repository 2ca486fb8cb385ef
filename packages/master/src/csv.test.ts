import { expect, test } from 'vitest'
import { csvLine } from './csv.ts'

test('cells with separators are quoted, and none is a formula', () => {
  expect(csvLine(['a', null, 'b,c', 'say "x"', 'two\nlines'])).toBe('a,,"b,c","say ""x""","two\nlines"\r\n')
  expect(csvLine(['=cmd()', '+1', '-1', '@x', '1-1'])).toBe("'=cmd(),'+1,'-1,'@x,1-1\r\n")
})
