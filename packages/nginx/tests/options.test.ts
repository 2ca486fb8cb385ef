import { optionSamples } from '@nxmesh/testkit/options'
import { describe, expect, test } from 'vitest'
import { checkSettings, checkVirtualHost } from '../src/check.ts'
import { type ConfigDraft, configOf } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { testRendered } from './support/real-nginx.ts'

type Host = NonNullable<ConfigDraft['virtual_hosts']>[number]

const host = (at: number, more: object): Host => {
  const canonical = JSON.stringify(more).includes('canonical') ? ' canonical.test' : ''
  return { server_name: `${at}.test${canonical}`, listen_port: 18480, ...more }
}
const entries = (place: keyof typeof optionSamples) =>
  Object.entries(optionSamples[place]).flatMap(([name, samples]) => (samples as object[]).map((sample) => ({ [name]: sample })))
const proxied = { path: '/p', proxy_pass: 'http://127.0.0.1:1' }
// Calls by gRPC need more than a location: options-grpc.test.ts.
const locations = entries('location')
  .filter((option) => !('grpc_pass' in option) && !('upstream_protocol' in option))
  .map((option, at) => ({
    ...('static' in option ? { root: '/srv' } : { proxy_pass: 'http://127.0.0.1:1' }),
    path: `/${at}`,
    ...option,
  }))

describe.each(binaries)('nginx $facts.version', (binary) => {
  test.each([{}, { mode: 'include', directory: '/nowhere' }] as const)('takes every option wherever it may stand, %j', (over) => {
    const hosts = [...entries('server').map((option, at) => host(at, { locations: [proxied], ...option })), host(999, { locations })]
    const each = entries('settings').map((settings) => configOf({ settings, virtual_hosts: [host(0, { locations: [proxied] })] }))
    for (const config of [configOf({ virtual_hosts: hosts }), ...each]) {
      for (const input of config.virtual_hosts) expect(checkVirtualHost(input)).toEqual([])
      expect(checkSettings(config.settings)).toEqual([])
      const { output, rendered } = testRendered(binary, config, over)
      expect(output).toContain('test is successful')
      expect(output).not.toContain('[warn]')
      expect(rendered.findings.filter(({ field }) => !field?.includes('brotli'))).toEqual([])
    }
  })
})
