import { type Bind, startBind } from '@nxmesh/testkit/bind'
import { administrator, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { newPerson } from '@nxmesh/testkit/people'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { unindexed } from '@nxmesh/testkit/unindexed'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openProviderOf } from '../../src/certificates/dns/providers.ts'
import { type Door, doorAt, openDoor } from '../door.ts'

describe.each(stores)('on $name', (store) => {
  const stack = new AsyncDisposableStack()
  const logged: string[] = []
  const answered: string[] = []
  let bind: Bind
  let master: TestMaster
  let door: Door

  beforeAll(async () => {
    const opened = stack.use(await store.open())
    const directory = stack.use(await scratch())
    const zones = stack.use(await scratch())
    bind = stack.use(
      await startBind(zones.path, {
        open: { 'example.test': ['_acme-challenge.moved CNAME there.auth.test.'], 'auth.test': [] },
        fixed: { 'fixed.test': [] },
      }),
    )
    const settings = [...(await opened.settings()), '--dns-resolvers', bind.server, '--outbound-networks', '127.0.0.1']
    const log = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) })
    master = stack.use(await startTestMaster(directory.path, settings, { log }))
    const direct = await openDoor(master.base, administrator)
    door = async (...request) => {
      const answer = await direct(...request)
      answered.push(answer.text)
      return answer
    }
  })

  afterAll(() => stack.disposeAsync())

  const providers = () => `/workspaces/${master.workspaceId}/dns-providers`
  const updates = (name: string, more = {}) => ({
    kind: 'rfc2136',
    name,
    server: bind.server,
    tsig_name: bind.keys[0]!.name,
    tsig_secret: bind.keys[0]!.secret,
    ...more,
  })
  const inputs = {
    cloudflare: { kind: 'cloudflare', name: 'Cloudflare', api_token: 'secret-of-cloudflare' },
    route53: {
      kind: 'route53',
      name: 'AWS',
      access_key_id: 'AKID',
      secret_access_key: 'secret-of-route53',
      session_token: 'session-of-route53',
    },
    webhook: { kind: 'webhook', name: 'Own', url: 'https://dns.example.com/acme', username: 'me', password: 'secret-of-webhook' },
  }

  test('what a provider takes is shown without its secrets', async () => {
    const { status, headers, body } = await door('POST', providers(), { body: updates('Bind') })
    expect([status, headers.get('etag')]).toEqual([201, '"1"'])
    const { id, created_at: _created, updated_at: _updated, ...rest } = body
    expect(rest).toEqual({
      kind: 'rfc2136',
      workspace_id: master.workspaceId,
      name: 'Bind',
      server: bind.server,
      zone: null,
      tsig_name: bind.keys[0]!.name,
      tsig_algorithm: 'hmac-sha256',
    })
    for (const input of Object.values(inputs)) expect((await door('POST', providers(), { body: input })).status).toBe(201)
    const { data, meta } = (await door('GET', providers())).body
    expect([data.map(({ kind }: { kind: string }) => kind), meta.total]).toEqual([['rfc2136', 'cloudflare', 'route53', 'webhook'], 4])
    expect((await door('GET', `/dns-providers/${id}`)).body).toEqual(data[0])
    const rows = await master.master.ctx.db.selectFrom('dns_providers').selectAll().where('workspace_id', '=', master.workspaceId).execute()
    expect(JSON.stringify(rows)).not.toMatch(/secret-of|session-of/)
  })

  test.each([
    [{ kind: 'pager', name: 'x' }, 'kind', 'INVALID_VALUE'],
    [{ kind: 'cloudflare', name: 'x' }, 'api_token', 'REQUIRED'],
    [{ kind: 'cloudflare', name: 'x', api_token: 'a\r\nb' }, 'api_token', 'INVALID_FORMAT'],
    [{ kind: 'cloudflare', name: 'x', api_token: 'a', url: 'https://example.com' }, 'url', 'UNKNOWN_FIELD'],
    [{ kind: 'rfc2136', name: 'x', server: 'ns.example.com:99999', tsig_name: 'k', tsig_secret: 'AAAA' }, 'server', 'INVALID_FORMAT'],
    [{ kind: 'rfc2136', name: 'x', server: '10.0.0.1', tsig_name: 'k', tsig_secret: 'AAAA' }, 'server', 'NOT_ALLOWED'],
    [{ kind: 'rfc2136', name: 'x', server: 'ns.example.com', tsig_name: 'k', tsig_secret: 'no base64' }, 'tsig_secret', 'INVALID_FORMAT'],
    [{ kind: 'webhook', name: 'x', url: 'http://10.0.0.1/' }, 'url', 'NOT_ALLOWED'],
    [{ kind: 'webhook', name: 'x', url: 'https://a:b@example.com/' }, 'url', 'INVALID_FORMAT'],
    [{ kind: 'webhook', name: 'x', url: 'https://example.com/', password: 'alone' }, 'username', 'REQUIRED'],
  ])('%j is refused', async (body, field, code) => {
    const answer = await door('POST', providers(), { body })
    expect(answer.body.error.details).toEqual([expect.objectContaining({ field, code })])
    expect(answer.status).toBe(422)
  })

  test('secrets that a change leaves out stay, and follow the address to nobody else', async () => {
    const { body } = await door('POST', providers(), { body: { ...inputs.webhook, name: 'changed' } })
    const path = `/dns-providers/${body.id}`
    const patch = (change: object, tag = '*') => door('PATCH', path, { body: change, headers: { 'if-match': tag } })
    expect((await patch({ name: 'renamed' }, '"1"')).headers.get('etag')).toBe('"2"')
    expect((await patch({ name: 'again' }, '"1"')).status).toBe(412)
    expect((await patch({ url: 'https://other.example.com/' })).body.error.details).toEqual([
      expect.objectContaining({ field: 'password', code: 'REQUIRED' }),
    ])
    expect((await patch({ url: 'https://dns.example.com/other' })).body).toMatchObject({
      url: 'https://dns.example.com/other',
      username: 'me',
    })
    expect((await patch({ url: 'https://other.example.com/', password: 'secret-of-other' })).status).toBe(200)
    expect((await patch({ tsig_name: 'x' })).body.error.details).toEqual([
      expect.objectContaining({ field: 'tsig_name', code: 'UNKNOWN_FIELD' }),
    ])
    expect((await door('POST', providers(), { body: { ...inputs.webhook, name: 'renamed' } })).status).toBe(409)
    expect((await door('DELETE', path, { headers: { 'if-match': '"1"' } })).status).toBe(412)
    expect((await door('DELETE', path)).status).toBe(204)
    expect((await door('GET', path)).status).toBe(404)
  })

  test('a test writes a record, sees it and removes it, also where the challenge is delegated', async () => {
    const { id } = (await door('POST', providers(), { body: updates('tested') })).body
    await door('PATCH', `/dns-providers/${id}`, { body: { name: 'tested, renamed' }, headers: { 'if-match': '*' } })
    const tried = async (name: string) => (await door('POST', `/dns-providers/${id}/test`, { body: { name } })).body
    expect(await tried('www.example.test')).toMatchObject({ success: true, record_name: '_acme-challenge.www.example.test' })
    expect(await tried('moved.example.test')).toMatchObject({ success: true, record_name: 'there.auth.test' })
    expect(await tried('www.fixed.test')).toMatchObject({ success: false, message: expect.stringContaining('REFUSED') })
    expect(bind.output()).toMatch(/deleting an RR at there.auth.test TXT/)
    const away = (await door('POST', providers(), { body: updates('away', { server: `127.0.0.1:${await freePort()}` }) })).body
    expect((await door('POST', `/dns-providers/${away.id}/test`, { body: { name: 'www.example.test' } })).body).toMatchObject({
      success: false,
      message: expect.stringContaining('ECONNREFUSED'),
    })
  })

  test('orders open a provider by its id', async () => {
    const { ctx } = master.master
    const { id } = (await door('POST', providers(), { body: updates('opened') })).body
    const provider = await openProviderOf(ctx, id)
    const record = { name: '_acme-challenge.order.example.test', value: 'of an order' }
    expect(await provider!.present(record)).toEqual({ ok: true })
    expect(await ctx.resolver.sees(record)).toMatchObject({ ok: true, seen: true })
    expect(await provider!.cleanup(record)).toEqual({ ok: true })
    expect(await openProviderOf(ctx, '00000000-0000-7000-8000-000000000000')).toBeUndefined()
  })

  test('who may only read neither changes a provider nor tests it', async () => {
    const { id } = (await door('POST', providers(), { body: updates('read') })).body
    const roles = {
      organization: { id: master.organizationId, role: 'member' },
      workspace: { id: master.workspaceId, role: 'operator' },
    } as const
    const { token } = await newPerson(master.master.ctx, master.base, 'operator@example.com', roles)
    const theirs = doorAt(master.base, token)
    expect((await theirs('GET', `/dns-providers/${id}`)).status).toBe(200)
    expect((await theirs('POST', `/dns-providers/${id}/test`, { body: { name: 'www.example.test' } })).status).toBe(403)
    expect((await theirs('POST', providers(), { body: inputs.cloudflare })).status).toBe(403)
    expect((await theirs('DELETE', `/dns-providers/${id}`)).status).toBe(403)
  })

  test('no answer, audit entry or line of the log holds a secret', async () => {
    const { body, text } = await door('GET', `/workspaces/${master.workspaceId}/audit-log?per_page=100`)
    expect(body.data.map(({ action }: { action: string }) => action)).toEqual(
      expect.arrayContaining(['dns-provider.create', 'dns-provider.update', 'dns-provider.test', 'dns-provider.delete']),
    )
    for (const secret of ['secret-of', 'session-of', ...bind.keys.map((key) => key.secret)]) {
      expect([text, ...answered, ...logged].filter((line) => line.includes(secret))).toEqual([])
    }
  })

  test('no query of these reads a whole table', async () => {
    expect((await unindexed(master.master.ctx.db, master.queries)).filter((found) => found.includes('dns_providers'))).toEqual([])
  })
})
