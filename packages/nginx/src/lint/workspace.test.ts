import { describe, expect, test } from 'vitest'
import { id } from '../../tests/support/config.ts'
import { codes, host, type LintDraft, lintOf, location } from '../../tests/support/lint.ts'

const on = (label_selector: string) => ({ type: 'selector' as const, label_selector })

describe('duplicate_server_name', () => {
  const two = (a: LintDraft, b: LintDraft): LintDraft => ({ virtual_hosts: [...a.virtual_hosts!, ...b.virtual_hosts!] })
  const named = (draft: Parameters<typeof host>[0]): LintDraft => ({ virtual_hosts: [host(draft)] })

  test.each([
    [two(named({}), named({}))],
    [two(named({ server_name: '.a.test' }), named({ server_name: 'b.test *.a.test' }))],
    [two(named({ server_name: '~^a' }), named({ server_name: '~^a' }))],
  ])('%#: the younger of two is named, once', (draft) => {
    const found = lintOf(draft).filter(({ code }) => code === 'duplicate_server_name')
    expect(found.map(({ object, field }) => [object.id, field])).toEqual([[id(1, 2), 'server_name']])
  })

  test.each([
    [two(named({}), named({ listen_port: 81 }))],
    [two(named({ server_name: '*.a.test' }), named({ server_name: 'a.test' }))],
    [
      {
        ...two(named({ target_agents: on('a=1') }), named({ target_agents: on('a=2') })),
        agents: [{ labels: { a: '1' } }, { labels: { a: '2' } }],
      },
    ],
  ])('%#: no clash', (draft) => {
    expect(codes(draft).filter((each) => each.startsWith('duplicate'))).toEqual([])
  })

  test('labels that changed afterwards bring two hosts together', () => {
    const draft = two(named({ target_agents: on('a=1') }), named({ target_agents: on('b=1') }))
    expect(codes({ ...draft, agents: [{ labels: { a: '1', b: '1' } }] })).toEqual(['duplicate_server_name server_name'])
  })
})

describe('hiding_address', () => {
  const at = (...listen_addresses: string[]) => ({ listen_addresses })
  const hiding = (...hosts: Parameters<typeof host>[0][]) =>
    lintOf({ virtual_hosts: hosts.map((draft) => host(draft)) }).filter(({ code }) => code === 'hiding_address')

  test('a host on one address hides those on all of its port, and is told of once', () => {
    const wide = ['b', 'c', 'd', 'e'].map((name) => ({ name, server_name: `${name}.test` }))
    const found = hiding({ server_name: 'a.test', ...at('192.0.2.5', '2001:DB8::5') }, ...wide, { listen_port: 81 })
    expect(found.map(({ severity, object, field }) => [severity, object.id, field])).toEqual([['warning', id(1, 1), 'listen_addresses']])
    expect(found[0]!.reason).toMatch(/^requests to 192\.0\.2\.5, 2001:db8::5 on port 80 never reach "b", "c", "d" and 1 more: /)
  })

  test('only the addresses count where names of the others are not served by a host there', () => {
    const named = [
      { server_name: 'a.test', ...at('192.0.2.5', '192.0.2.6') },
      { server_name: 'b.test', ...at('192.0.2.5') },
    ]
    const found = hiding(...named, { server_name: 'a.test b.test' })
    expect(found.map(({ object, reason }) => [object.id, reason.split(' never')[0]])).toEqual([
      [id(1, 1), 'requests to 192.0.2.6 on port 80'],
    ])
  })

  test.each([
    [[{}, {}]],
    [[at('192.0.2.5'), at('192.0.2.6')]],
    [[at('192.0.2.5'), { listen_port: 81 }]],
    [[{ server_name: 'a.test b.test', ...at('192.0.2.5') }, { server_name: 'b.test' }]],
    [[{ ...at('192.0.2.5'), target_agents: { type: 'agents' as const, agent_ids: [id(4, 9)] } }, {}]],
  ])('%#: nothing is hidden', (hosts) => {
    const named = hosts.map((draft, index) => ({ server_name: `${index}.test`, ...draft }))
    expect(hiding(...named)).toEqual([])
  })
})

test('no_agent', () => {
  const targeted = (target_agents: ReturnType<typeof on> | { type: 'agents'; agent_ids: string[] } | { type: 'all' }) => ({
    virtual_hosts: [host({ target_agents })],
  })
  expect(codes(targeted(on('a=1')))).toEqual(['no_agent target_agents.label_selector'])
  expect(codes(targeted({ type: 'agents', agent_ids: [id(4, 9)] }))).toEqual(['no_agent target_agents.agent_ids'])
  expect(codes({ ...targeted({ type: 'all' }), agents: [] })).toEqual(['no_agent target_agents'])
  expect(codes({ ...targeted(on('a=1')), agents: [{ labels: { a: '1' } }] })).toEqual([])
  expect(codes(targeted({ type: 'agents', agent_ids: [id(4, 1)] }))).toEqual([])
  const [found] = lintOf({ stream_hosts: [{ listen_port: 25, target_agents: on('a=1') }] })
  expect(found).toMatchObject({ code: 'no_agent', object: { kind: 'stream_host', id: id(6, 1) } })
})

test('certificates that end, and nothing renews', () => {
  const shown = host({ ssl_enabled: true, ssl_certificate_id: id(3, 1) })
  const found = (certificate: NonNullable<LintDraft['certificates']>[number]) =>
    lintOf({ certificates: [certificate], virtual_hosts: [shown] }).map(({ severity, code, field }) => `${severity} ${code} ${field}`)
  const soon = '2026-03-20T00:00:00Z'
  expect(found({ auto_renew: false, expires_at: soon })).toEqual(['warning certificate_ending auto_renew'])
  expect(found({ provider: 'uploaded', expires_at: soon })).toEqual(['warning certificate_ending expires_at'])
  expect(found({ auto_renew: false, expires_at: '2026-02-28T00:00:00Z' })).toEqual(['error certificate_ended expires_at'])
  expect(found({ auto_renew: true, expires_at: soon })).toEqual([])
  expect(found({ auto_renew: false, expires_at: '2026-05-01T00:00:00Z' })).toEqual([])
  expect(found({ auto_renew: false, expires_at: null })).toEqual([])
})

test('unused_upstream and upstream_down', () => {
  const upstreams = [{ servers: [{ address: 'a' }] }, { servers: [{ address: 'b', down: true }] }]
  const draft = { ...location({ upstream_id: id(2, 2) }), upstreams }
  expect(codes({ ...draft, stream_hosts: [{ listen_port: 25, upstream_id: id(2, 1) }] })).toEqual(['upstream_down servers'])
  expect(lintOf(draft).map(({ code, object }) => [code, object.id])).toEqual([
    ['upstream_down', id(2, 2)],
    ['unused_upstream', id(2, 1)],
  ])
})

test('unused_certificate', () => {
  const named = { ssl_certificate_id: id(3, 1) }
  const found = (draft: Parameters<typeof host>[0]) => lintOf({ certificates: [{}], virtual_hosts: [host(draft)] })
  expect(found({}).map(({ code, object }) => [code, object.id])).toEqual([['unused_certificate', id(3, 1)]])
  expect(found(named).map(({ reason }) => reason)).toEqual(['the hosts that name it have ssl_enabled off'])
  expect(found({ ...named, ssl_enabled: true })).toEqual([])
  const stream_hosts = [{ listen_port: 25, ...named, ssl_enabled: true }]
  expect(codes({ certificates: [{}], stream_hosts })).toEqual([])
})

test('each finding says what it is about, why, what to do and who says so', () => {
  const draft: LintDraft = {
    ...location({ proxy_pass: 'http://$arg_a/' }),
    upstreams: [{ servers: [{ address: 'a', down: true }] }],
    certificates: [{ auto_renew: false, expires_at: '2026-03-02T00:00:00Z' }],
    settings: { tls_policy: 'old' },
    agents: [],
  }
  const found = lintOf(draft)
  expect(new Set(found.map(({ object }) => object.kind))).toEqual(new Set(['settings', 'virtual_host', 'upstream', 'certificate']))
  for (const { code, object, field, reason, fix, source } of found) {
    expect(code).toMatch(/^[a-z_]+$/)
    expect(object.name).not.toBe('')
    for (const text of [field, reason, fix]) expect(text).not.toBe('')
    expect(source).toMatch(/^https:\/\//)
  }
})
