import { expect, test } from 'vitest'
import { expositionOf, type Series } from './exposition.ts'

const labels = new Map([
  ['a', { agent_id: 'a', agent: 'web "1"' }],
  ['b', { agent_id: 'b', agent: 'web\\2\n' }],
])

const series = (agent: string, name: string, value: number, own: object = {}, isCounter = false): Series => {
  return { agent, name, labels: JSON.stringify(own), value, isCounter }
}
const lines = (rows: Series[], taken: string[] = []) => expositionOf(rows, labels, new Set(taken)).split('\n').slice(0, -1)

test('a metric has its text and its type once, whichever order its series come in', () => {
  expect(lines([series('a', 'nginx_up', 1), series('b', 'load', 0.5), series('b', 'nginx_up', 0)])).toEqual([
    '# HELP load As agents send it.',
    '# TYPE load gauge',
    'load{agent_id="b",agent="web\\\\2\\n"} 0.5',
    '# HELP nginx_up 1 where nginx answers its agent.',
    '# TYPE nginx_up gauge',
    'nginx_up{agent_id="a",agent="web \\"1\\""} 1',
    'nginx_up{agent_id="b",agent="web\\\\2\\n"} 0',
  ])
})

test('the parts of a histogram are one metric, and those of none are counters', () => {
  const parts = [
    series('a', 'took_sum', 2.5, {}, true),
    series('a', 'took_bucket', 1, { le: '0.5' }, true),
    series('a', 'took_bucket', 2, { le: '+Inf' }, true),
    series('a', 'took_count', 2, {}, true),
    series('a', 'bytes_sum', 7, {}, true),
  ]
  const own = 'agent_id="a",agent="web \\"1\\""'
  expect(lines(parts).filter((line) => !line.startsWith('# HELP'))).toEqual([
    '# TYPE bytes_sum counter',
    `bytes_sum{${own}} 7`,
    '# TYPE took histogram',
    `took_bucket{${own},le="0.5"} 1`,
    `took_bucket{${own},le="+Inf"} 2`,
    `took_sum{${own}} 2.5`,
    `took_count{${own}} 2`,
  ])
})

test('what agents do not agree on has no type', () => {
  expect(lines([series('a', 'odd', 1), series('b', 'odd', 2, {}, true)])).toContain('# TYPE odd untyped')
})

test('names that are taken, or that the format has no room for, are left out; so is an agent that is not meant', () => {
  expect(lines([series('a', 'mine', 1), series('a', 'not a name', 1), series('a', '1st', 1), series('c', 'load', 1)], ['mine'])).toEqual([])
})

test('labels of the agent win, and labels that cannot be are left out', () => {
  const [, , line] = lines([series('a', 'load', Number.POSITIVE_INFINITY, { agent: 'other', 'not a label': '', __name__: 'x', ok: '1' })])
  expect(line).toBe('load{agent_id="a",agent="web \\"1\\"",exported_agent="other",ok="1"} +Inf')
})

test('a label that gives way takes no name that is there already', () => {
  const [, , line] = lines([series('a', 'load', 1, { agent: 'other', exported_agent: 'third' })])
  expect(line).toBe('load{agent_id="a",agent="web \\"1\\"",exported_exported_agent="other",exported_agent="third"} 1')
})
