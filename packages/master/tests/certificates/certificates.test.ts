import { generateKeyPairSync } from 'node:crypto'
import { readCertificate } from '@nxmesh/model/x509'
import { type Chain, newChain } from '@nxmesh/testkit/certificates'
import { administrator, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { type OpenStore, stores } from '@nxmesh/testkit/stores'
import { unindexed } from '@nxmesh/testkit/unindexed'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Door, openDoor } from '../door.ts'

const day = 86_400_000

describe.each(stores)('on $name', (store) => {
  const stack = new AsyncDisposableStack()
  let opened: OpenStore
  let test_: TestMaster
  let door: Door
  let chain: Chain
  const clock = { offset: 0 }

  beforeAll(async () => {
    opened = stack.use(await store.open())
    const overrides = { now: () => Date.now() + clock.offset }
    test_ = stack.use(await startTestMaster(stack.use(await scratch()).path, await opened.settings(), overrides))
    door = await openDoor(test_.base, administrator)
    chain = await newChain({ names: ['example.com', '*.example.com'] })
  })

  afterAll(() => stack.disposeAsync())

  const certificates = () => `/workspaces/${test_.workspaceId}/certificates`
  const upload = (more: object = {}) => ({
    domain: 'example.com',
    provider: 'uploaded',
    certificate_pem: `${chain.rootPem}${chain.intermediatePem}${chain.certPem}`,
    private_key_pem: chain.keyPem,
    ...more,
  })
  const made = async (body: object) => {
    const answer = await door('POST', certificates(), { body })
    expect([answer.status, answer.body.error]).toEqual([201, null])
    return answer.body
  }
  const host = (name: string, certificate: string, more: object = {}) =>
    door('POST', `/workspaces/${test_.workspaceId}/virtual-hosts`, {
      body: { name, server_name: `${name}.example.com`, listen_port: 443, ssl_enabled: true, ssl_certificate_id: certificate, ...more },
    })

  test('an uploaded certificate is put in order and shown without its key', async () => {
    const body = await made(upload())
    expect(body).toMatchObject({
      domain: 'example.com',
      names: ['example.com', '*.example.com'],
      is_wildcard: true,
      provider: 'uploaded',
      status: 'active',
      expires_at: readCertificate(chain.certPem)!.not_after,
      renews_at: null,
      issuer: 'CN=Intermediate',
      error: null,
      order: null,
    })
    expect(body).not.toHaveProperty('private_key_pem')
    const { text: pem, headers } = await door('GET', `/certificates/${body.id}/chain`)
    expect(headers.get('content-type')).toContain('application/pem-certificate-chain')
    const read = pem.split(/(?<=-----END CERTIFICATE-----\n)/).filter((part) => part.trim() !== '')
    expect(read.map((part) => readCertificate(part)!.subject)).toEqual(['CN=example.com', 'CN=Intermediate'])
    const listed = await door('GET', certificates())
    expect(listed.body.data).toContainEqual(body)
    expect((await door('GET', `/certificates/${body.id}`)).body).toEqual(body)
  })

  test('what visitors would not take is refused, with the field and the reason', async () => {
    const other = await newChain({ names: ['example.com'] })
    const over = await newChain({ names: ['example.com'], notBefore: Date.now() - 9 * day, notAfter: Date.now() - day })
    const early = await newChain({ names: ['example.com'], notBefore: Date.now() + day })
    const cases: [object, string, string][] = [
      [{ private_key_pem: other.keyPem }, 'private_key_pem', 'is the key of none of the certificates'],
      [{ certificate_pem: other.certPem + chain.certPem }, 'certificate_pem', 'not of the chain'],
      [{ certificate_pem: over.certPem, private_key_pem: over.keyPem }, 'certificate_pem', 'is over since'],
      [{ certificate_pem: early.certPem, private_key_pem: early.keyPem }, 'certificate_pem', 'is not good before'],
      [{ certificate_pem: 'nonsense' }, 'certificate_pem', 'holds no certificate'],
      [{ certificate_pem: chain.certPem + chain.keyPem }, 'certificate_pem', 'holds a private key'],
      [{ private_key_pem: 'nonsense' }, 'private_key_pem', 'is no private key'],
      [{ private_key_pem: '-----BEGIN ENCRYPTED PRIVATE KEY-----\n' }, 'private_key_pem', 'is encrypted'],
      [{ private_key_pem: undefined }, 'private_key_pem', 'is required'],
      [{ domain: 'other.test' }, 'domain', 'is not for other.test'],
      [{ names: ['a.b.example.com'] }, 'names.0', 'is not for a.b.example.com'],
      [{ dns_provider_id: '990e8400-e29b-41d4-a716-446655440005' }, 'dns_provider_id', 'only for certificates of an ACME server'],
      [{ provider: 'self_signed' }, 'certificate_pem', 'only for provider uploaded'],
    ]
    for (const [more, field, message] of cases) {
      const answer = await door('POST', certificates(), { body: upload(more) })
      expect([answer.status, field], JSON.stringify(answer.body)).toEqual([422, answer.body.error?.details[0]?.field])
      expect(answer.body.error.details[0].message).toContain(message)
      expect(JSON.stringify(answer.body)).not.toContain('PRIVATE KEY')
    }
  })

  test('hazard 79: what some nginx would refuse for its weakness is refused at the upload, with the field', async () => {
    const of = async (weak: 'leaf' | 'intermediate' | 'hash') => {
      const { certPem, intermediatePem, keyPem } = await newChain({ names: ['example.com'], weak })
      return { certificate_pem: certPem + intermediatePem, private_key_pem: keyPem }
    }
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime192v1' })
    const cases: [object, string, string][] = [
      [await of('leaf'), 'private_key_pem', 'has 1024 bits'],
      [await of('intermediate'), 'certificate_pem', 'the key of CN=Intermediate has 1024 bits'],
      [await of('hash'), 'certificate_pem', 'CN=example.com is signed with ecdsa-with-SHA1'],
      [{ private_key_pem: privateKey.export({ type: 'pkcs8', format: 'pem' }) }, 'private_key_pem', 'is of the curve prime192v1'],
    ]
    for (const [more, field, message] of cases) {
      const { status, body } = await door('POST', certificates(), { body: upload(more) })
      expect([status, body.error.details[0]]).toMatchObject([422, { field, message: expect.stringContaining(message) }])
    }
  })

  test.each([
    [{ domain: '*.example.com', provider: 'letsencrypt' }, 'challenge'],
    [{ domain: 'example.com', provider: 'letsencrypt', challenge: 'dns-01' }, 'dns_provider_id'],
    [{ domain: 'exa mple.com', provider: 'letsencrypt' }, 'domain'],
    [{ domain: 'www.example.*', provider: 'letsencrypt' }, 'domain'],
    [{ domain: 'example.com', provider: 'acme' }, 'acme_account_id'],
    [{ domain: 'example.com', provider: 'letsencrypt', acme_account_id: '990e8400-e29b-41d4-a716-446655440005' }, 'acme_account_id'],
    [{ domain: 'example.com', provider: 'letsencrypt', key_type: 'dsa' }, 'key_type'],
    [{ domain: 'example.com', provider: 'letsencrypt', profile: 'a b' }, 'profile'],
    [{ domain: 'example.com' }, 'provider'],
  ])('%j is refused', async (body, field) => {
    const answer = await door('POST', certificates(), { body })
    expect([answer.status, answer.body.error.details[0].field]).toEqual([422, field])
  })

  test('a virtual host takes no certificate that is not for its names', async () => {
    const { id } = await made(upload())
    expect((await host('covered', id)).status).toBe(201)
    const deep = await host('deep', id, { server_name: 'a.b.example.com' })
    expect([deep.status, deep.body.error.details]).toEqual([
      422,
      [{ field: 'ssl_certificate_id', message: expect.stringContaining('is not for a.b.example.com'), code: 'INVALID_VALUE' }],
    ])
    expect((await host('nobody', '990e8400-e29b-41d4-a716-446655440005')).body.error.details[0].code).toBe('UNKNOWN_REFERENCE')
  })

  test('an uploaded successor goes out as a version, unless virtual hosts would lose their names', async () => {
    const { id } = await made(upload())
    const used = await host('successor', id)
    const narrow = await newChain({ names: ['example.com'] })
    const refused = await door('PATCH', `/certificates/${id}`, {
      body: { certificate_pem: narrow.certPem, private_key_pem: narrow.keyPem },
    })
    expect([refused.status, refused.body.error.details[0].message]).toEqual([409, expect.stringContaining('successor.example.com')])
    const next = await newChain({ names: ['example.com', '*.example.com'], notAfter: Date.now() + 200 * day })
    const patch = { certificate_pem: next.certPem + next.intermediatePem, private_key_pem: next.keyPem }
    const changed = await door('PATCH', `/certificates/${id}`, { body: patch })
    expect([changed.status, changed.body.fingerprint]).toEqual([200, readCertificate(next.certPem)!.fingerprint])
    const [revision] = (await door('GET', `/workspaces/${test_.workspaceId}/revisions`)).body.data
    expect(revision.changes).toEqual([{ kind: 'certificate', id, name: 'example.com', action: 'changed' }])
    const inUse = await door('DELETE', `/certificates/${id}`)
    expect([inUse.status, inUse.body.error.details[0].code]).toEqual([409, 'IN_USE'])
    await door('DELETE', `/virtual-hosts/${used.body.id}`)
    expect((await door('DELETE', `/certificates/${id}`)).status).toBe(204)
    expect((await door('GET', `/certificates/${id}`)).status).toBe(404)
  })

  test('a rollback brings back virtual hosts, and leaves their certificates as they are', async () => {
    const { id } = await made(upload())
    const used = await host('rolled', id)
    const at = `/workspaces/${test_.workspaceId}`
    const [{ version }] = (await door('GET', `${at}/revisions`)).body.data
    const next = await newChain({ names: ['example.com', '*.example.com'] })
    await door('PATCH', `/certificates/${id}`, { body: { certificate_pem: next.certPem, private_key_pem: next.keyPem } })
    await door('DELETE', `/virtual-hosts/${used.body.id}`)
    expect((await door('POST', `${at}/rollback`, { body: { version } })).body).toMatchObject({ changed: true })
    expect((await door('GET', `/virtual-hosts/${used.body.id}`)).body).toMatchObject({ ssl_certificate_id: id })
    expect((await door('GET', `/certificates/${id}`)).body.fingerprint).toBe(readCertificate(next.certPem)!.fingerprint)
    await door('DELETE', `/virtual-hosts/${used.body.id}`)
    await door('DELETE', `/certificates/${id}`)
    const gone = await door('POST', `${at}/rollback`, { body: { version } })
    expect([gone.status, gone.body.error.details[0].field]).toEqual([422, `virtual_hosts.${used.body.id}.ssl_certificate_id`])
  })

  test('the CA of the workspace signs what is not for the public, and signs it anew in time', async () => {
    const body = await made({
      domain: 'internal',
      names: ['10.1.2.3', '2001:db8::1', '*.internal'],
      provider: 'self_signed',
      key_type: 'rsa2048',
    })
    expect(body).toMatchObject({ status: 'active', names: ['internal', '10.1.2.3', '2001:db8::1', '*.internal'], challenge: null })
    const authority = (await door('GET', `/workspaces/${test_.workspaceId}/certificate-authority`)).body
    expect(body.issuer).toBe(readCertificate(authority.certificate_pem)!.subject)
    const renewed = await door('POST', `/certificates/${body.id}/renew`, { body: {} })
    expect([renewed.status, renewed.body.serial === body.serial]).toEqual([200, false])
    clock.offset = Date.parse(renewed.body.renews_at) - Date.now() + 1000
    try {
      // Sign-ins of now have ended by then.
      const later = await openDoor(test_.base, administrator)
      test_.master.ctx.wake('certificates')
      await expect
        .poll(async () => (await later('GET', `/certificates/${body.id}`)).body.serial, { timeout: 10_000 })
        .not.toBe(renewed.body.serial)
      const events = await test_.master.ctx.db
        .selectFrom('events')
        .select('data')
        .where('type', '=', 'certificate.issued')
        .orderBy('seq')
        .execute()
      expect(events.filter(({ data }) => data.includes(body.id)).map(({ data }) => JSON.parse(data).renewed)).toEqual([false, true, true])
    } finally {
      clock.offset = 0
    }
    const refused = await door('POST', `/certificates/${body.id}/revoke`, { body: {} })
    expect([refused.status, refused.body.error.message]).toEqual([409, expect.stringContaining('publishes no revocations')])
  })

  test('people are told before a certificate ends, and when it has', async () => {
    const { id } = await made(upload({ auto_renew: false }))
    const end = Date.parse(readCertificate(chain.certPem)!.not_after)
    const told = async () => {
      test_.master.ctx.wake('certificates')
      const events = await test_.master.ctx.db
        .selectFrom('events')
        .select(['type', 'data'])
        .where('type', 'in', ['certificate.expiring', 'certificate.expired'])
        .orderBy('seq')
        .execute()
      return events.filter(({ data }) => data.includes(id)).map(({ type }) => type)
    }
    const types = ['certificate.expiring', 'certificate.expiring', 'certificate.expired']
    try {
      for (const [index, left] of [20 * day, 5 * day, -1000].entries()) {
        clock.offset = end - left - Date.now()
        await expect.poll(told, { timeout: 10_000 }).toEqual(types.slice(0, index + 1))
      }
      const later = await openDoor(test_.base, administrator)
      expect((await later('GET', `/certificates/${id}`)).body.status).toBe('expired')
    } finally {
      clock.offset = 0
    }
  })

  test('an account at an ACME server keeps its secrets', async () => {
    const at = `/workspaces/${test_.workspaceId}/acme-accounts`
    const said = { name: 'Corporate', directory_url: 'https://acme.example.com/dir', eab_kid: 'k', eab_hmac_key: 'c2VjcmV0LXNlY3JldA' }
    const half = await door('POST', at, { body: { ...said, eab_kid: null } })
    expect([half.status, half.body.error.details[0].field]).toEqual([422, 'eab_kid'])
    const near = await door('POST', at, { body: { ...said, directory_url: 'https://127.0.0.1:14000/dir' } })
    expect([near.status, near.body.error.details[0]]).toEqual([
      422,
      expect.objectContaining({ field: 'directory_url', code: 'NOT_ALLOWED' }),
    ])
    const { status, body } = await door('POST', at, { body: said })
    expect([status, body.status, body.account_url]).toEqual([201, 'new', null])
    expect(body.thumbprint).toMatch(/^[A-Za-z0-9_-]{43}$/)
    const changed = await door('PATCH', `/acme-accounts/${body.id}`, { body: { email: 'ops@example.com' } })
    expect(changed.body).toMatchObject({ email: 'ops@example.com', eab_kid: 'k' })
    const rotated = await door('POST', `/acme-accounts/${body.id}/rotate-key`, { body: {} })
    expect([rotated.status, rotated.body.thumbprint === body.thumbprint]).toEqual([200, false])
    for (const answer of [body, changed.body, rotated.body]) expect(JSON.stringify(answer)).not.toContain(said.eab_hmac_key)
    const log = await door('GET', `/workspaces/${test_.workspaceId}/audit-log?per_page=100`)
    expect(log.body.data.map((entry: { action: string }) => entry.action)).toEqual(
      expect.arrayContaining(['acme-account.create', 'acme-account.update', 'acme-account.rotate-key', 'certificate.request']),
    )
    expect(JSON.stringify(log.body)).not.toMatch(/PRIVATE KEY|c2VjcmV0|sealed/)
    expect((await door('DELETE', `/acme-accounts/${body.id}`)).status).toBe(204)
  })

  test('no query reads a whole table', async () => {
    const found = await unindexed(test_.master.ctx.db, test_.queries)
    expect(found.filter((text) => /certificate|acme/.test(text))).toEqual([])
  })
})
