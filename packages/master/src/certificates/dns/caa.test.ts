import { expect, test } from 'vitest'
import { caaAllows } from './caa.ts'

const record = (tag: string, value: string, critical = false) => ({ tag, value, critical })
const ours = ['letsencrypt.org', 'other.example']

test.each([
  ['none', [], [true, true]],
  ['one of ours', [record('issue', 'letsencrypt.org')], [true, true]],
  ['one with parameters', [record('issue', ' Other.example ; accounturi=https://x')], [true, true]],
  ['one of others', [record('issue', 'ca.example')], [false, false]],
  ['nobody', [record('issue', ';')], [false, false]],
  ['nobody, empty', [record('issue', '')], [false, false]],
  ['several', [record('issue', 'ca.example'), record('ISSUE', 'letsencrypt.org')], [true, true]],
  ['wildcards by others', [record('issue', 'letsencrypt.org'), record('issuewild', 'ca.example')], [true, false]],
  ['wildcards only', [record('issue', ';'), record('issuewild', 'letsencrypt.org')], [false, true]],
  ['no more than reports', [record('iodef', 'mailto:a@example.com', true)], [true, true]],
  ['an unknown tag', [record('tbs', 'x')], [true, true]],
  ['an unknown tag that is critical', [record('issue', 'letsencrypt.org'), record('tbs', 'x', true)], [false, false]],
])('%s', (_, records, allowed) => {
  expect([caaAllows(records, ours, false), caaAllows(records, ours, true)]).toEqual(allowed)
})
