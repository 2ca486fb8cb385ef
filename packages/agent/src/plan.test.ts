import type { AgentConfig } from '@nxmesh/model/agent-config'
import { describe, expect, test } from 'vitest'
import type { LedgerState } from './ledger.ts'
import { backoff, causeOf, firstTrouble, planNext, portFindings } from './plan.ts'

const state: LedgerState = {
  agent_id: null,
  desired: { version: 2, digest: 'b', config_id: 'c' },
  good: { version: 1, digest: 'a', generation: 'g' },
  rejected: null,
  report: null,
  stopped: false,
}

describe('planNext', () => {
  test('applies what is new, and nothing twice', () => {
    expect(planNext({ ...state, desired: null }, 'tick')).toEqual({ kind: 'nothing' })
    expect(planNext(state, 'tick')).toEqual({ kind: 'apply' })
    expect(planNext({ ...state, good: { version: 2, digest: 'b', generation: 'g' } }, 'offer')).toEqual({ kind: 'nothing' })
  })

  test('leaves a refused config alone until somebody asks, and tries again what failed for a reason of the machine', () => {
    const refused = { ...state, rejected: { version: 2, digest: 'b', cause: 'config' } as const }
    expect(['tick', 'retry'].map((trigger) => planNext(refused, trigger as 'tick').kind)).toEqual(['wait', 'wait'])
    expect(['offer', 'command'].map((trigger) => planNext(refused, trigger as 'offer').kind)).toEqual(['apply', 'apply'])
    const host = { ...state, rejected: { version: 2, digest: 'b', cause: 'host' } as const }
    expect(['tick', 'retry'].map((trigger) => planNext(host, trigger as 'tick').kind)).toEqual(['wait', 'apply'])
    expect(planNext({ ...refused, desired: { version: 3, digest: 'c', config_id: 'd' } }, 'tick').kind).toBe('apply')
  })

  test('waits while nginx is stopped by command', () => {
    expect(planNext({ ...state, stopped: true }, 'command').kind).toBe('wait')
  })
})

test('a refusal is told apart by its cause', () => {
  const emerg = (text: string) => `nginx: [emerg] ${text}\nnginx: configuration file /d/current/test.conf test failed\n`
  expect(causeOf(emerg('unknown directive "x" in /d/generations/1-a/http.conf:3'), '/d')).toBe('config')
  expect(causeOf(emerg('unknown directive "x" in /etc/nginx/nginx.conf:3'), '/d')).toBe('host')
  expect(causeOf(emerg('host not found in upstream "x.test" in /d/generations/1-a/http.conf:3'), '/d')).toBe('host')
  expect(causeOf(emerg('open() "/srv/a.log" failed (13: Permission denied)'), '/d')).toBe('host')
  expect(causeOf('bind() to 0.0.0.0:80 failed (98: Address already in use)', '/d')).toBe('host')
})

test('the first trouble is what nginx said, without date and process', () => {
  expect(firstTrouble('nginx: [warn] a\nnginx: [emerg] b in x:1\nnginx: configuration file x test failed')).toBe('b in x:1')
  expect(firstTrouble('2026/01/31 10:00:00 [emerg] 1#1: bind() failed')).toBe('bind() failed')
  expect(firstTrouble('')).toBe('nginx gave no reason')
})

test('a taken port is told at each host that wants it, or at the settings', () => {
  const hosts = {
    virtual_hosts: [
      { id: '1', name: 'a', listen_port: 80 },
      { id: '2', name: 'b', listen_port: 81 },
    ],
    stream_hosts: [
      { id: '3', name: 'c', listen_port: 81, protocol: 'udp' },
      { id: '4', name: 'd', listen_port: 80, protocol: 'udp' },
    ],
    settings: { mail_directives: ['server { listen 82; listen 127.0.0.1:80; }'] },
  } as Pick<AgentConfig, 'virtual_hosts' | 'stream_hosts' | 'settings'>
  const taken = [
    { port: 80, transport: 'tcp', owner: undefined, reason: 'port 80 is taken' },
    { port: 81, transport: 'udp', owner: undefined, reason: 'UDP port 81 is taken' },
    { port: 80, transport: 'tcp', address: '127.0.0.1', owner: undefined, reason: 'port 80 on 127.0.0.1 is taken' },
  ] as const
  expect(portFindings(taken, hosts)).toEqual([
    { severity: 'error', message: 'port 80 is taken', kind: 'virtual_host', id: '1', name: 'a', field: 'listen_port' },
    { severity: 'error', message: 'UDP port 81 is taken', kind: 'virtual_host', id: '2', name: 'b', field: 'listen_port' },
    { severity: 'error', message: 'UDP port 81 is taken', kind: 'stream_host', id: '3', name: 'c', field: 'listen_port' },
    { severity: 'error', message: 'port 80 on 127.0.0.1 is taken', kind: 'settings', field: 'mail_directives.0' },
  ])
})

test('waits double up to their limit and differ between agents', () => {
  const waits = [0, 1, 2, 3, 20].map((attempt) => backoff(attempt, { firstMs: 200, maxMs: 15_000, random: 1 }))
  expect(waits).toEqual([200, 400, 800, 1600, 15_000])
  expect(backoff(0, { firstMs: 200, maxMs: 15_000, random: 0 })).toBe(100)
})
