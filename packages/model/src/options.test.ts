import { describe, expect, test } from 'vitest'
import { location } from './location.ts'
import { settings } from './settings.ts'
import { virtualHostInput } from './virtual-host.ts'

const schemas = {
  server: virtualHostInput.partial({ name: true, server_name: true, listen_port: true }),
  location: location.partial({ path: true }),
  settings,
}

/** The fields that are refused, as dotted paths. */
function refused(place: keyof typeof schemas, input: unknown): string[] {
  const result = schemas[place].safeParse(input)
  return result.success ? [] : result.error.issues.map((issue) => [...issue.path, ...('keys' in issue ? issue.keys : [])].join('.'))
}

test('options are absent unless asked for', () => {
  expect(Object.keys(schemas.location.parse({})).toSorted()).toEqual(['custom_directives', 'custom_headers', 'rewrite_rules'])
  expect(schemas.settings.parse({})).toEqual({ nginx_directives: {}, env_vars: {} })
})

describe('an error names the field', () => {
  test.each([
    ['server', { client: { max_body_size: '10mb' } }, 'client.max_body_size'],
    ['server', { client: { max_body_size: '1.5m' } }, 'client.max_body_size'],
    ['server', { client: { max_body_size: '-1' } }, 'client.max_body_size'],
    ['server', { client: { body_timeout: 0.5 } }, 'client.body_timeout'],
    ['server', { client: { body_timeout: '30s' } }, 'client.body_timeout'],
    ['location', { client: { header_timeout: 5 } }, 'client.header_timeout'],
    ['location', { proxy: { connect_timeout: 0 } }, 'proxy.connect_timeout'],
    ['location', { proxy: { buffers: { size: '4' } } }, 'proxy.buffers.size'],
    ['settings', { proxy: { buffers: { size: '4k', number: 3 } } }, 'proxy.buffers.number'],
    ['settings', { proxy: { timeout: 5 } }, 'proxy.timeout'],
  ] as const)('%s %j', (place, input, field) => {
    expect(refused(place, input)).toEqual([field])
  })
})
