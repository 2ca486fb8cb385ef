import type { ImportLine } from '@nxmesh/model/import'
import { expect, test } from 'vitest'
import { mergeSettings } from './merge-settings.ts'

const line = (field: string): ImportLine => ({
  file: '/f',
  line: 1,
  column: 1,
  directive: 'x',
  outcome: 'kept',
  object: { kind: 'settings', name: 'settings' },
  field,
})

test('what a workspace says already stays, and the lines say so', () => {
  const present = { nginx_directives: { gzip: 'on', sendfile: 'on' }, env_vars: { TZ: 'UTC' }, extra_directives: ['map $a $b { x 1; }'] }
  const imported = {
    nginx_directives: { gzip: 'off', sendfile: 'on', tcp_nopush: 'on' },
    env_vars: { TZ: 'UTC', A: '1' },
    extra_directives: ['map $c $d { x 1; }', 'map $a $b { x 1; }'],
  }
  const fields = ['nginx_directives.gzip', 'nginx_directives.sendfile', 'extra_directives.0', 'extra_directives.1']
  const { settings, lines } = mergeSettings(present, imported, fields.map(line))
  expect(settings).toEqual({
    nginx_directives: { gzip: 'on', sendfile: 'on', tcp_nopush: 'on' },
    env_vars: { TZ: 'UTC', A: '1' },
    extra_directives: ['map $a $b { x 1; }', 'map $c $d { x 1; }'],
  })
  expect(lines.map(({ outcome, field }) => [outcome, field])).toEqual([
    ['left_out', undefined],
    ['kept', 'nginx_directives.sendfile'],
    ['kept', 'extra_directives.1'],
    ['kept', 'extra_directives.0'],
  ])
})
