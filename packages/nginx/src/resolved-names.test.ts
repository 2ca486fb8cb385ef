import { expect, test } from 'vitest'
import { configOf } from '../tests/support/config.ts'
import { namesOf } from './resolved-names.ts'

test('the name of an upstream that the settings hold is not asked for', () => {
  const locations = ['http://app/x', 'http://app.test', 'https://"quoted"'.replaceAll('"', '')].map((proxy_pass, at) => ({
    path: `/${at}`,
    proxy_pass,
  }))
  const virtual_hosts = [{ server_name: 'a.test', listen_port: 80, locations }]
  const settings = {
    extra_directives: ['upstream App { server 10.0.0.1; }', 'upstream "quoted" { server 10.0.0.2; }', 'map $a $b { upstream 1; }'],
  }
  expect(namesOf(configOf({ virtual_hosts, settings }), 'owned')).toEqual(['app.test'])
  expect(namesOf(configOf({ virtual_hosts }), 'owned')).toEqual(['app', 'app.test', 'quoted'])
})
