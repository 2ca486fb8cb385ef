import { alertCondition } from '@nxmesh/model/alert-rule'
import { targetTest } from '@nxmesh/model/target-agents'
import { expect, test } from 'vitest'
import type { AlertRow } from '../db/schema-events.ts'
import type { Subject } from './judge.ts'
import { transitionsOf } from './transitions.ts'

const at = Date.parse('2026-03-02T12:00:00Z')
const cpu = { kind: 'metric', metric: 'cpu_percent', operator: 'above', threshold: 90, clear_threshold: 80 }

/** One agent and one rule, looked at again and again by a master that began `begun` seconds from the first look. */
function watch(condition: object, for_seconds = 0, { begun = -3600, waiting = new Map<string, number>() } = {}) {
  let active: AlertRow[] = []
  return (
    seconds: number,
    { health = {}, agent = {}, ...more }: { health?: object; agent?: object; warnings?: object[]; rates?: object; certificates?: object[] },
  ) => {
    const row = { id: 'r', name: 'Rule', severity: 'warning', for_seconds } as never
    const rules = [{ row, condition: alertCondition.parse(condition), isFor: targetTest({ type: 'all' }) }]
    const subject = {
      agent: { state: 'online', registered_at: 'once', drift: null, ...agent },
      health,
      warnings: [],
      rates: new Map(),
      certificates: [],
      ...more,
    } as unknown as Subject
    const transitions = transitionsOf({ subject, rules, active, waiting }, at + seconds * 1000, at + begun * 1000)
    for (const transition of transitions) {
      if (transition.kind === 'open')
        active = [...active, { ...transition, id: 'x', updated_at: new Date(at + seconds * 1000).toISOString() } as never]
      if (transition.kind === 'wait') waiting.set(transition.rule_id, at + seconds * 1000)
      if (transition.kind === 'stop waiting') waiting.delete(transition.rule_id)
      if (transition.kind === 'end') active = active.filter((each) => each !== transition.row)
    }
    return transitions.map(({ kind }) => kind)
  }
}

test('an alert opens when its condition has held long enough without a break', () => {
  const look = watch(cpu, 60)
  const seen = [
    [0, 95],
    [59, 95],
    [60, 50],
    [61, 95],
    [120, 95],
    [121, 95],
  ].map(([second, cpu_percent]) => look(second!, { health: { cpu_percent } }))
  expect(seen).toEqual([['wait'], [], ['stop waiting'], ['wait'], [], ['open', 'stop waiting']])
})

test('what another master has seen begin counts, once agents have had the time to come', () => {
  const restarted = (for_seconds: number) => watch(cpu, for_seconds, { begun: 0, waiting: new Map([['r', at - 600_000]]) })
  const [short, long] = [restarted(10), restarted(500)]
  const busy = { health: { cpu_percent: 95 } }
  expect([short(0, busy), short(9, busy), short(10, busy)]).toEqual([[], [], ['open', 'stop waiting']])
  expect([long(0, busy), long(29, busy), long(30, busy)]).toEqual([[], [], ['open', 'stop waiting']])
  const calm = restarted(500)
  expect([calm(5, { health: { cpu_percent: 10 } }), calm(40, busy), calm(539, busy)]).toEqual([['stop waiting'], ['wait'], []])
})

test('what nobody can know goes on waiting', () => {
  const look = watch(cpu, 60)
  const busy = { health: { cpu_percent: 95 } }
  expect([look(0, busy), look(30, { agent: { state: 'offline' } }), look(60, busy)]).toEqual([['wait'], [], ['open', 'stop waiting']])
})

test('it ends only beyond its clear threshold, and what is between keeps it as it is', () => {
  const look = watch(cpu)
  const seen = [90, 91, 85, 89, 80, 90].map((cpu_percent, second) => look(second, { health: { cpu_percent } }))
  expect(seen).toEqual([[], ['open'], [], [], ['end'], []])
})

test('what cannot be known neither opens nor ends it', () => {
  const look = watch(cpu)
  const offline = { state: 'offline' }
  expect(look(0, { agent: offline, health: { cpu_percent: 99 } })).toEqual([])
  expect(look(1, { health: { cpu_percent: 99 } })).toEqual(['open'])
  expect(look(2, { agent: offline, health: { cpu_percent: 1 } })).toEqual([])
  expect(look(3, { health: { cpu_percent: 1 } })).toEqual(['end'])
})

test('below its threshold, for shares of requests only where there are enough', () => {
  const look = watch({ kind: 'metric', metric: 'server_error_percent', operator: 'above', threshold: 5, min_requests: 50 })
  const served = (requests: number, server_errors: number) => ({
    rates: new Map([[300, { requests, server_errors, dropped: 0, p99: null }]]),
  })
  expect([
    look(0, served(49, 49)),
    look(1, served(100, 5)),
    look(2, served(100, 6)),
    look(3, served(10, 0)),
    look(4, served(50, 2)),
    look(5, {}),
  ]).toEqual([[], [], ['open'], [], ['end'], []])
  const idle = watch({ kind: 'metric', metric: 'requests_per_second', operator: 'below', threshold: 1, clear_threshold: 2 })
  expect([1, 0.5, 1.5, 2].map((requests_per_second, second) => idle(second, { health: { requests_per_second } }))).toEqual([
    [],
    ['open'],
    [],
    ['end'],
  ])
})

test('an agent that says itself that its nginx is down is reason for one alert', () => {
  const look = watch({ kind: 'state', state: 'nginx_down' })
  const health = { nginx_status: 'stopped' }
  const warning = { alert_id: 'nginx.trouble', severity: 'critical', message: 'gone', metric: 'nginx_up', value: 0 }
  expect(look(0, { health, warnings: [warning] })).toEqual(['open'])
  expect(look(1, { health, warnings: [warning] })).toEqual([])
  expect(look(2, { health: { nginx_status: 'running' } })).toEqual(['end'])
  expect(look(3, { health })).toEqual(['open'])
})

test('the warnings of an agent that is offline stay as they were', () => {
  const look = watch({ kind: 'state', state: 'drift' })
  const warning = { alert_id: 'disk', severity: 'strange', message: 'full', metric: '', value: 0 }
  expect(look(0, { warnings: [warning] })).toEqual(['open'])
  expect(look(1, { warnings: [], agent: { state: 'offline' } })).toEqual([])
  expect(look(2, { warnings: [] })).toEqual(['end'])
})

test('a certificate that ends soon is told of whether its agent is there or not, and no longer once it is renewed', () => {
  const look = watch({ kind: 'state', state: 'certificate_expiring' })
  const day = 86_400_000
  const life = (left: number) => ({ name: 'example.com', notBefore: at - (90 - left) * day, notAfter: at + left * day })
  expect(look(0, { certificates: [life(60), life(22)] })).toEqual([])
  expect(look(1, { certificates: [life(60), life(20)] })).toEqual(['open'])
  expect(look(2, { certificates: [life(20)], agent: { state: 'offline' } })).toEqual([])
  expect(look(3, { certificates: [life(60)] })).toEqual(['end'])
  const short = watch({ kind: 'state', state: 'certificate_expiring' })
  expect(short(0, { certificates: [{ name: 'x', notBefore: at - 4 * day, notAfter: at + 2 * day }] })).toEqual([])
  expect(short(1, { certificates: [{ name: 'x', notBefore: at - 5 * day, notAfter: at + day }] })).toEqual(['open'])
})

test('days that are left of a certificate can be held against a threshold', () => {
  const look = watch({ kind: 'metric', metric: 'certificate_days_left', operator: 'below', threshold: 30 })
  const ends = (days: number) => ({ certificates: [{ name: 'x', notBefore: at, notAfter: at + days * 86_400_000 }] })
  expect([look(0, ends(40)), look(1, ends(29)), look(2, ends(80)), look(3, { certificates: [] })]).toEqual([[], ['open'], ['end'], []])
})
