import { chmod } from 'node:fs/promises'
import { routes } from '@nxmesh/api/routes'
import { get } from '@nxmesh/testkit/get'
import { startMesh } from '@nxmesh/testkit/mesh'
import { startOrigin } from '@nxmesh/testkit/origin'
import { freePort } from '@nxmesh/testkit/ports'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

test('options given through REST are what nginx does, and what the master shows of its files', async () => {
  await using mesh = await startMesh()
  // Workers of another user read a file below this.
  await chmod(mesh.directory, 0o711)
  await using origin = await startOrigin('app')
  const params = { workspace_id: mesh.workspaceId }
  await mesh.client.call(routes.updateSettings, { params, body: { real_ip: { trusted: ['127.0.0.1'] }, client: { max_body_size: '1k' } } })
  const upstream = await mesh.client.call(routes.createUpstream, { params, body: { name: 'app', servers: [{ address: origin.address }] } })
  const port = await freePort()
  const many = { rate: '1000r/s', burst: 100, nodelay: true }
  const staff = { realm: 'Staff', users: [{ name: 'ann', password: 'sesame' }] }
  const host = await mesh.client.call(routes.createVirtualHost, {
    params,
    body: {
      name: 'Site',
      server_name: 'site.test www.site.test',
      listen_port: port,
      redirect: { canonical_name: 'site.test' },
      limit_req: { rate: '1r/m' },
      locations: [
        { path: '/', upstream_id: upstream.id },
        { path: '/kept', upstream_id: upstream.id, limit_req: many, proxy_cache: { valid: [{ seconds: 60 }], status_header: true } },
        { path: '/staff', upstream_id: upstream.id, auth_basic: staff, limit_req: many },
      ],
    },
  })
  const from = (address: string, more: Record<string, string> = {}) => ({ 'x-forwarded-for': address, ...more })
  const basic = (word: string) => ({ authorization: `Basic ${Buffer.from(`ann:${word}`).toString('base64')}` })
  const status = async (path: string, headers: Record<string, string>) => (await get(port, 'site.test', path, headers)).status
  await until('the site to answer', async () => (await get(port, 'www.site.test')).status === 301)

  expect([await status('/', from('192.0.2.1')), await status('/', from('192.0.2.1')), await status('/', from('192.0.2.2'))]).toEqual([
    200, 429, 200,
  ])
  expect(origin.requests.at(-1)?.headers).toMatchObject({ 'x-real-ip': '192.0.2.2' })
  const staffStatus = (word: string) => status('/staff', from('192.0.2.3', basic(word)))
  expect([await status('/staff', from('192.0.2.3')), await staffStatus('other'), await staffStatus('sesame')]).toEqual([401, 401, 200])

  const kept = async () => (await get(port, 'site.test', '/kept', from('192.0.2.4'))).headers['x-cache-status']
  expect([await kept(), await kept()]).toEqual(['MISS', 'HIT'])

  const agent = mesh.agents[0]!.id
  const files = await mesh.client.call(routes.getAgentConfig, { params: { agent_id: agent } })
  expect(files.applied?.matches_agent).toBe(true)
  expect(files.desired.files!.filter(({ content }) => content === null).map(({ path, mode }) => [path.split('/')[0], mode])).toEqual([
    ['auth_basic', '0640'],
  ])
  expect(JSON.stringify(files)).not.toContain('$6$')

  // The zone stays and counts on: nginx would refuse one of the same name with another key.
  const change = { limit_req: { rate: '2r/m' }, maintenance: { retry_after: 60, allow: ['192.0.2.0/24'] } }
  await mesh.client.call(routes.updateVirtualHost, { params: { virtual_host_id: host.id }, body: change })
  expect((await mesh.settled(agent)).config).toMatchObject({ status: 'success', error: null, findings: [] })
  expect([await status('/', from('198.51.100.1')), await staffStatus('sesame')]).toEqual([503, 200])

  const wrong = mesh.client.call(routes.updateVirtualHost, {
    params: { virtual_host_id: host.id },
    body: { limit_req: { rate: '2 per minute' }, custom_directives: { limit_req_status: '503' } },
  })
  const error = await wrong.catch((cause: unknown) => cause)
  expect(error).toMatchObject({ details: [{ field: 'limit_req.rate', code: 'INVALID_FORMAT' }] })
})
