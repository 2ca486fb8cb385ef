import { expect, test } from 'vitest'
import { sha512Crypt } from './sha512-crypt.ts'

// The first is from the paper itself, the others are from "openssl passwd -6".
test.each([
  ['Hello world!', 'saltstring', '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1'],
  ['a', 'x', '$6$x$6Zqbz8j5rMHIeJ1ujjjFXuZXSa/VORj.fVUEQcJc.rjR9.wCKlhZuymRQLtIEzcxNmqwX/fRNvM45BbvFayY51'],
  ['p'.repeat(130), 'abcdefgh', '$6$abcdefgh$Cwi6/BEubGfTLG9XjKpd3.YGnugK0sNAvkRWtSWm3EOa8ucC5KFrFYHw17o.RUF6BDz99U4.CiM2zj04puVO1.'],
  ['pässwörd ☃', 'zz./AZ09', '$6$zz./AZ09$.Yo19huY2JpEAGePizKv7EUIlkYxKW5a4xRAsnEbfqg14S3jKWHhpXDGufc9rfsDQjL2q3AqNm3skdAZc/tzO.'],
])('%s', (password, salt, expected) => {
  expect(sha512Crypt(password, salt)).toBe(expected)
})

test('each hash has a salt of its own', () => {
  expect(sha512Crypt('a')).not.toBe(sha512Crypt('a'))
  expect(sha512Crypt('a')).toMatch(/^\$6\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{86}$/)
})
