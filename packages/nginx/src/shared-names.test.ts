import { expect, test } from 'vitest'
import { configOf } from '../tests/support/config.ts'
import { foreignNames, lostNames } from './shared-names.ts'

test('extra directives define names and use them, as custom directives do', () => {
  const { virtual_hosts, settings } = configOf({
    virtual_hosts: [
      {
        server_name: 'a.test',
        listen_port: 80,
        extra_directives: ['set $own 1', 'limit_req zone=z burst=5', 'if ($made = 1) { return 403; }'],
      },
      { server_name: 'b.test', listen_port: 80, locations: [{ path: '/', extra_directives: ['return 200 $own'] }] },
    ],
    settings: { extra_directives: ['map $host $made { default 1; }', 'limit_req_zone $host zone=z:1m rate=1r/s'] },
  })
  const [first, second] = virtual_hosts
  expect(foreignNames(first!, virtual_hosts, settings)).toEqual([])
  expect(foreignNames(second!, virtual_hosts, settings).map(({ field }) => field)).toEqual(['locations.0.extra_directives.0'])
  const bare = { nginx_directives: {}, env_vars: {} }
  expect(lostNames({ virtual_hosts, settings }, { virtual_hosts, settings: bare }).map(({ name, field }) => [name, field])).toEqual([
    ['zone z', 'extra_directives.1'],
    ['$made', 'extra_directives.2'],
  ])
})
