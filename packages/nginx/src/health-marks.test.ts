import { type UpstreamServer, upstreamInput } from '@nxmesh/model/upstream'
import { expect, test } from 'vitest'
import { allowedMarks, isAnswered } from './health-marks.ts'

function upstream(servers: (Partial<UpstreamServer> & { address: string })[], more: object = {}) {
  return { ...upstreamInput.parse({ name: 'u', servers, health_check: { enabled: true }, ...more }), id: 'u' }
}

const [a, b, c] = [{ address: 'a:1' }, { address: 'b:1' }, { address: 'c:1', backup: true }]

test.each([
  ['those that fail', upstream([a, b]), ['a:1'], ['a:1']],
  ['none, where all fail', upstream([a, b]), ['a:1', 'b:1'], []],
  ['all but a backup server that does well', upstream([a, b, c]), ['b:1', 'a:1'], ['a:1', 'b:1']],
  ['none, where only one switched off is left', upstream([a, { ...b, down: true }]), ['a:1'], []],
  ['none, where only a backup server is left that ip_hash does not know', upstream([a, c], { algorithm: 'ip_hash' }), ['a:1'], []],
  ['none, of an upstream that is not probed', upstream([a, b], { health_check: null }), ['a:1'], []],
  ['none that is no server of it any more', upstream([a, b]), ['x:1'], []],
])('marks %s', (_, of, failing, expected) => {
  expect(allowedMarks(of, failing)).toEqual(expected)
})

const [v4, v6] = [{ address: '10.0.0.1:80' }, { address: '[::1]' }]
const many = Array.from({ length: 51 }, (_, at) => ({ address: `10.0.0.${at + 1}` }))

test.each([
  [true, upstream([v4, v6])],
  [false, upstream([v4])],
  [false, upstream([v4, a])],
  [false, upstream([v4, { ...v6, max_fails: 3 }])],
  [false, upstream([v4, v6, { address: '10.0.0.3', backup: true }])],
  [false, upstream([v4, v6], { algorithm: 'ip_hash' })],
  [false, upstream([v4, v6], { health_check: null })],
  [true, upstream(many.slice(1))],
  [false, upstream(many)],
])('that nginx asks for the servers is %s of an upstream like this', (expected, of) => {
  const able = { facts: { supports: { upstream_resolve: true } }, resolver: '127.0.0.1:1' }
  expect(isAnswered(of, able)).toBe(expected)
  expect(isAnswered(of, { ...able, facts: { supports: { upstream_resolve: false } } })).toBe(false)
  expect(isAnswered(of, { facts: able.facts })).toBe(false)
})
