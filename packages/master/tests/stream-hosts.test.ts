import { ApiError } from '@nxmesh/api/errors'
import { routes } from '@nxmesh/api/routes'
import { startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

let stack: AsyncDisposableStack
let mesh: TestMaster
let workspaces = 0
let params: { workspace_id: string }
let upstreamId: string

interface Body {
  listen_port: number
  [field: string]: unknown
}

const create = (body: Body) =>
  mesh.client.call(routes.createStreamHost, { params, body: { name: 'Database', upstream_id: upstreamId, ...body } })
const version = async () => (await mesh.client.call(routes.listRevisions, { params })).data[0]!.version

async function refusal(call: Promise<unknown>) {
  const outcome = await call.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(outcome instanceof ApiError)) throw new Error('it was not refused', { cause: outcome })
  return [outcome.code, ...(outcome.details ?? []).map(({ field, code }) => `${field} ${code}`)]
}

describe.each(stores)('stream hosts, on $name', (store) => {
  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch())
    const opened = opening.use(await store.open())
    mesh = opening.use(await startTestMaster(directory.path, await opened.settings()))
    stack = opening.move()
  })
  afterAll(() => stack.disposeAsync())

  beforeEach(async () => {
    const slug = `streams-${++workspaces}`
    const organization = { organization_id: mesh.organizationId }
    const { id } = await mesh.client.call(routes.createWorkspace, { params: organization, body: { name: slug, slug } })
    params = { workspace_id: id }
    const body = { name: 'database', servers: [{ address: 'db.internal:5432' }] }
    upstreamId = (await mesh.client.call(routes.createUpstream, { params, body })).id
  })

  test('one is created with its defaults, changed, listed, deleted, and each makes a version', async () => {
    const made = await create({ listen_port: 5432 })
    expect(made).toMatchObject({ protocol: 'tcp', ssl_enabled: false, ssl_certificate_id: null, target_agents: { type: 'all' } })
    const one = { stream_host_id: made.id }
    const changed = await mesh.client.call(routes.updateStreamHost, { params: one, body: { proxy: { timeout: 60 } } })
    expect(changed).toEqual({ ...made, proxy: { timeout: 60 }, updated_at: changed.updated_at })
    expect(await mesh.client.call(routes.getStreamHost, { params: one })).toEqual(changed)
    expect((await mesh.client.call(routes.listStreamHosts, { params })).data).toEqual([changed])
    const before = await version()
    await mesh.client.call(routes.deleteStreamHost, { params: one })
    expect(await version()).toBe(before + 1)
    expect(await refusal(mesh.client.call(routes.getStreamHost, { params: one }))).toEqual(['NOT_FOUND'])
  })

  test('what nginx could not serve is refused at its field, and nothing is written', async () => {
    const udp = { listen_port: 53, protocol: 'udp' }
    const before = await version()
    const cases: [Body, string][] = [
      [{ listen_port: 1, upstream_id: crypto.randomUUID() }, 'upstream_id UNKNOWN_REFERENCE'],
      [{ listen_port: 1, upstream_id: undefined }, 'upstream_id REQUIRED'],
      [{ listen_port: 1, listen_addresses: ['10.0.0.1', 'db.test'] }, 'listen_addresses.1 INVALID_FORMAT'],
      [{ listen_port: 1, listen_addresses: ['0:0::1', '::1'] }, 'listen_addresses.1 INVALID_VALUE'],
      [{ listen_port: 1, ssl_enabled: true }, 'ssl_certificate_id REQUIRED'],
      [{ listen_port: 1, tls_policy: 'modern' }, 'tls_policy NOT_ALLOWED'],
      [{ listen_port: 1, proxy: { responses: 1 } }, 'proxy.responses NOT_ALLOWED'],
      [{ listen_port: 1, proxy: { ssl_name: 'a.test' } }, 'proxy.ssl_name NOT_ALLOWED'],
      [{ ...udp, accept_proxy_protocol: {} }, 'accept_proxy_protocol NOT_ALLOWED'],
      [{ ...udp, proxy: { ssl: true } }, 'proxy.ssl NOT_ALLOWED'],
      [{ listen_port: 1, access: { rules: [{ action: 'allow', address: '10.0.0.0/8' }] } }, 'access.rules INVALID_VALUE'],
      [{ listen_port: 1, custom_directives: { add_header: 'X y' } }, 'custom_directives.add_header NOT_ALLOWED'],
      [{ listen_port: 1, custom_directives: { map: '$a $b {}' } }, 'custom_directives.map NOT_ALLOWED'],
      [{ listen_port: 1, custom_directives: { load_module: 'x.so' } }, 'custom_directives.load_module NOT_ALLOWED'],
      [
        { listen_port: 1, custom_directives: { proxy_timeout: '1s; } server { listen 1' } },
        'custom_directives.proxy_timeout INVALID_FORMAT',
      ],
      [{ listen_port: 1, extra_directives: ['return "hello"'] }, 'extra_directives.0 CONFLICT'],
      [{ listen_port: 1, upstream_id: undefined, extra_directives: ['proxy_pass db.test:1'] }, 'extra_directives.0 INVALID_VALUE'],
      [
        { listen_port: 1, target_agents: { type: 'agents', agent_ids: [crypto.randomUUID()] } },
        'target_agents.agent_ids.0 UNKNOWN_REFERENCE',
      ],
    ]
    for (const [body, problem] of cases) expect(await refusal(create(body))).toEqual(['VALIDATION_ERROR', problem])
    expect(await version()).toBe(before)
  })

  test('what goes elsewhere than to an upstream is said by directives', async () => {
    const body = {
      stream_directives: ['map $ssl_preread_server_name $to { default 127.0.0.1:1; }', 'upstream own { server 127.0.0.1:2; }'],
    }
    await mesh.client.call(routes.updateSettings, { params, body })
    const goes = (to: string) => ({ upstream_id: undefined, extra_directives: ['ssl_preread on', `proxy_pass ${to}`] })
    await create({ listen_port: 443, ...goes('$to') })
    await create({ listen_port: 444, ...goes('own') })
    await create({ listen_port: 445, upstream_id: undefined, custom_directives: { return: '$remote_addr' } })
    const wrong = { stream_directives: ['proxy_pass a', 'server { listen 1; }', 'upstream nxmesh_a { server 127.0.0.1:2; }'] }
    expect(await refusal(mesh.client.call(routes.updateSettings, { params, body: wrong }))).toEqual([
      'VALIDATION_ERROR',
      'stream_directives.0 NOT_ALLOWED',
      'stream_directives.1 NOT_ALLOWED',
      'stream_directives.2 NOT_ALLOWED',
    ])
  })

  test('a port belongs to one host of an agent, whatever its kind', async () => {
    const http = (listen_port: number, more = {}) =>
      mesh.client.call(routes.createVirtualHost, { params, body: { name: 'a', server_name: 'a.test', listen_port, ...more } })
    const taken = ['CONFLICT', 'listen_port CONFLICT']
    await create({ listen_port: 5432 })
    expect(await refusal(create({ listen_port: 5432 }))).toEqual(taken)
    expect(await refusal(http(5432))).toEqual(taken)
    const quic = await http(8080, { http3_enabled: true })
    expect(await refusal(create({ listen_port: 8080 }))).toEqual(taken)
    expect(await refusal(create({ listen_port: 8080, protocol: 'udp' }))).toEqual(taken)
    await create({ listen_port: 5432, protocol: 'udp' })
    await mesh.client.call(routes.updateVirtualHost, { params: { virtual_host_id: quic.id }, body: { http3_enabled: false } })
    await create({ listen_port: 8080, protocol: 'udp' })
    const { agent_id } = await mesh.client.call(routes.createAgentToken, { params, body: { name: 'one' } })
    const { agent_id: other } = await mesh.client.call(routes.createAgentToken, { params, body: { name: 'other' } })
    await create({ listen_port: 25, target_agents: { type: 'agents', agent_ids: [agent_id] } })
    await create({ listen_port: 25, target_agents: { type: 'agents', agent_ids: [other] } })
    expect(await refusal(mesh.client.call(routes.deleteAgent, { params: { agent_id } }))).toEqual(['CONFLICT', 'id IN_USE'])
  })

  test('a unix socket belongs to one host of an agent, whatever its kind and port', async () => {
    const on = (path: string, more = {}) => ({ listen_addresses: [`unix:${path}`], ...more })
    const http = (more: object) =>
      mesh.client.call(routes.createVirtualHost, { params, body: { name: 's', server_name: 's.test', listen_port: 80, ...more } })
    const taken = ['CONFLICT', 'listen_addresses CONFLICT']
    await create({ listen_port: 9000, ...on('/run/a.sock') })
    expect(await refusal(create({ listen_port: 9001, ...on('/run/a.sock') }))).toEqual(taken)
    await create({ listen_port: 9000 })
    expect(await refusal(http(on('/run/a.sock')))).toEqual(taken)
    await http(on('/run/b.sock'))
    expect(await refusal(create({ listen_port: 9002, ...on('/run/b.sock') }))).toEqual(taken)
    expect(await refusal(create({ listen_port: 9002, ...on('/run/c.sock', { protocol: 'udp' }) }))).toEqual([
      'VALIDATION_ERROR',
      'listen_addresses NOT_ALLOWED',
    ])
    expect(await refusal(create({ listen_port: 9002, listen_addresses: ['unix:c.sock'] }))).toEqual([
      'VALIDATION_ERROR',
      'listen_addresses.0 INVALID_FORMAT',
    ])
  })

  test('a TCP port of a mail server of the settings belongs to no host, and the other way round', async () => {
    const setMail = (...servers: string[]) => {
      const mail_directives = ['auth_http 127.0.0.1:9000/auth', ...servers.map((listen) => `server { listen ${listen}; protocol imap; }`)]
      return mesh.client.call(routes.updateSettings, { params, body: { mail_directives } })
    }
    const http = (listen_port: number, more = {}) =>
      mesh.client.call(routes.createVirtualHost, { params, body: { name: 'm', server_name: 'm.test', listen_port, ...more } })
    await setMail('143', '10.0.0.1:144')
    const taken = ['CONFLICT', 'listen_port CONFLICT']
    expect(await refusal(create({ listen_port: 143 }))).toEqual(taken)
    expect(await refusal(http(143, { listen_addresses: ['10.0.0.2'] }))).toEqual(taken)
    expect(await refusal(http(144))).toEqual(taken)
    await create({ listen_port: 143, protocol: 'udp' })
    await create({ listen_port: 144, listen_addresses: ['10.0.0.2'] })
    await http(145)
    expect(await refusal(setMail('143', '144'))).toEqual(['CONFLICT', 'mail_directives.2 CONFLICT'])
    expect(await refusal(setMail('145'))).toEqual(['CONFLICT', 'mail_directives.1 CONFLICT'])
    expect(await refusal(setMail('10.0.0.2:144'))).toEqual(['CONFLICT', 'mail_directives.1 CONFLICT'])
    await setMail('10.0.0.1:144')
    await create({ listen_port: 143 })
    const files = { 'nginx.conf': 'events {} mail { auth_http 127.0.0.1:9000/auth; server { listen 143; } }' }
    const imported = mesh.client.call(routes.importWorkspace, { params, body: { files } })
    expect(await refusal(imported)).toEqual(['CONFLICT', 'settings.mail_directives.2 CONFLICT'])
  })

  test('an address of a port belongs to one stream host, and each kind of host has addresses of its own where TCP is mixed', async () => {
    const http = (more: object) =>
      mesh.client.call(routes.createVirtualHost, { params, body: { name: 'a', server_name: 'a.test', listen_port: 5432, ...more } })
    const on = (listen_addresses: string[], more = {}) => create({ listen_port: 5432, listen_addresses, ...more })
    const taken = ['CONFLICT', 'listen_port CONFLICT']
    const one = await on(['10.0.0.1', '2001:db8::1'])
    expect(one.listen_addresses).toEqual(['10.0.0.1', '2001:db8::1'])
    expect(await refusal(on(['10.0.0.2', '2001:DB8:0::1']))).toEqual(taken)
    await on(['10.0.0.1'], { protocol: 'udp' })
    await on(['10.0.0.2'])
    const all = await create({ listen_port: 5432 })
    expect(await refusal(create({ listen_port: 5432 }))).toEqual(taken)

    expect(await refusal(http({ listen_addresses: ['10.0.0.3'] }))).toEqual(taken)
    await mesh.client.call(routes.deleteStreamHost, { params: { stream_host_id: all.id } })
    expect(await refusal(http({}))).toEqual([...taken, 'listen_port CONFLICT'])
    expect(await refusal(http({ listen_addresses: ['10.0.0.3', '10.0.0.1'] }))).toEqual(taken)
    await http({ listen_addresses: ['10.0.0.3'], http3_enabled: true })
    const change = (listen_addresses: string[] | null) =>
      mesh.client.call(routes.updateStreamHost, { params: { stream_host_id: one.id }, body: { listen_addresses } })
    expect(await refusal(change(null))).toEqual(taken)
    expect(await refusal(change(['10.0.0.3']))).toEqual(taken)
    expect((await change(['10.0.0.4'])).listen_addresses).toEqual(['10.0.0.4'])
    expect(await refusal(on(['10.0.0.3'], { protocol: 'udp' }))).toEqual(taken)
    const datagrams = await create({ listen_port: 5432, protocol: 'udp' })
    expect(datagrams).not.toHaveProperty('listen_addresses')
  })

  test('what it uses is neither deleted nor made useless under it', async () => {
    const certificate = await mesh.client.call(routes.requestCertificate, { params, body: { domain: 'db.test', provider: 'self_signed' } })
    await create({ listen_port: 5432, ssl_enabled: true, ssl_certificate_id: certificate.id })
    const upstream = { upstream_id: upstreamId }
    expect(await refusal(mesh.client.call(routes.deleteUpstream, { params: upstream }))).toEqual(['CONFLICT', 'id IN_USE'])
    const deletion = mesh.client.call(routes.deleteCertificate, { params: { certificate_id: certificate.id } })
    expect(await refusal(deletion)).toEqual(['CONFLICT', 'id IN_USE'])
    const portless = { servers: [{ address: 'db.internal' }] }
    expect(await refusal(mesh.client.call(routes.updateUpstream, { params: upstream, body: portless }))).toEqual([
      'VALIDATION_ERROR',
      'servers.0.address INVALID_VALUE',
    ])
  })

  test('history holds it: a diff tells what changed, and a rollback brings it back', async () => {
    const made = await create({ listen_port: 5432 })
    const then = await version()
    await mesh.client.call(routes.updateStreamHost, { params: { stream_host_id: made.id }, body: { listen_port: 5433 } })
    const diff = await mesh.client.call(routes.diffRevision, {
      params: { ...params, version: String(then + 1) },
      query: { against: String(then) },
    })
    expect(diff.changed).toEqual([
      { kind: 'stream_host', id: made.id, name: 'Database', fields: [{ field: 'listen_port', before: 5432, after: 5433 }] },
    ])
    await mesh.client.call(routes.deleteStreamHost, { params: { stream_host_id: made.id } })
    const { changes } = await mesh.client.call(routes.rollbackWorkspace, { params, body: { version: then } })
    expect(changes).toEqual([{ kind: 'stream_host', id: made.id, name: 'Database', action: 'created' }])
    expect(await mesh.client.call(routes.getStreamHost, { params: { stream_host_id: made.id } })).toMatchObject({ listen_port: 5432 })
  })
})
