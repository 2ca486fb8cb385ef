import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { routes } from '@nxmesh/api/routes'
import type { Certificate, CertificateInput } from '@nxmesh/model/certificate'
import { readCertificate } from '@nxmesh/model/x509'
import { get } from '@nxmesh/testkit/get'
import { signIn } from '@nxmesh/testkit/master'
import { type Mesh, startMesh } from '@nxmesh/testkit/mesh'
import { type Pebble, startPebble } from '@nxmesh/testkit/pebble'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, expect, test } from 'vitest'

const stack = new AsyncDisposableStack()
const clock = { offset: 0 }
let mesh: Mesh
let pebble: Pebble
let httpPort: number
let tlsPort: number

beforeAll(async () => {
  const directory = stack.use(await scratch()).path
  httpPort = await freePort()
  tlsPort = await freePort()
  pebble = stack.use(await startPebble({ directory: join(directory, 'pebble'), httpPort, nonceReject: 20 }))
  const ca = join(directory, 'pebble-ca.pem')
  await writeFile(ca, pebble.caPem)
  const acme = ['--acme-directory', pebble.directoryUrl, '--acme-ca-file', ca, '--dns-resolvers', pebble.dns]
  const settings = [...acme, '--outbound-networks', '127.0.0.1']
  mesh = stack.use(await startMesh({ settings, overrides: { now: () => Date.now() + clock.offset } }))
  await mesh.client.call(routes.updateSettings, { params: workspace(), body: { http_port: httpPort } })
})

afterAll(() => stack.disposeAsync())

const workspace = () => ({ workspace_id: mesh.workspaceId })
const request = (domain: string, more: Partial<CertificateInput> = {}) =>
  mesh.client.call(routes.requestCertificate, { params: workspace(), body: { domain, provider: 'letsencrypt', ...more } })
const addHost = (domain: string, certificate: Pick<Certificate, 'id'>, names = domain) =>
  mesh.client.call(routes.createVirtualHost, {
    params: workspace(),
    body: {
      name: domain,
      server_name: names,
      listen_port: tlsPort,
      ssl_enabled: true,
      ssl_certificate_id: certificate.id,
      tls: { redirect_http: true, hsts: { max_age: 1000 } },
      locations: [{ path: '/', custom_directives: { return: `200 ${domain}` } }],
    },
  })

async function show(id: string): Promise<Certificate> {
  // Sign-ins of today have ended when the clock is moved on.
  return (await signIn(mesh.base)).call(routes.getCertificate, { params: { certificate_id: id } })
}

function ended(id: string, status: Certificate['status'], seconds = 60) {
  return until(
    `the certificate to be ${status}`,
    async () => {
      mesh.master.ctx.wake('certificates')
      const shown = await show(id)
      if (shown.status === 'failed' && status === 'active') throw new Error(JSON.stringify(shown.error))
      return shown.order === null && shown.status === status && shown
    },
    seconds,
  )
}

/** The order of a certificate once it says what it waits for. */
function held(id: string) {
  return until('the order to wait', async () => {
    const { order } = await show(id)
    return order?.error && order
  })
}

/** The certificate that nginx shows for a name, as a client sees it that trusts the CA alone. */
async function shownBy(port: number, servername: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', servername, ca: await pebble.roots() })
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  const { raw } = socket.getPeerCertificate()
  socket.destroy()
  return readCertificate(raw)!.fingerprint
}

test('a certificate is ordered once somebody serves its names, proved, served and renewed', { timeout: 120_000 }, async () => {
  const [issuedBefore, names] = [pebble.issued(), 'shop.example.com www.shop.example.com']
  const asked = await request('shop.example.com', { names: ['www.shop.example.com'] })
  expect(asked).toMatchObject({ status: 'pending', issued_at: null, challenge: 'http-01' })
  const waiting = await held(asked.id)
  expect(waiting).toMatchObject({ step: 'preflight', error: { code: 'no_agent', fix: expect.stringContaining('Create a virtual host') } })
  expect(pebble.issued()).toBe(issuedBefore)
  await addHost('shop.example.com', asked, names)
  const issued = await ended(asked.id, 'active')
  expect(issued).toMatchObject({ error: null, names: ['shop.example.com', 'www.shop.example.com'] })
  await mesh.settled(mesh.agents[0]!.id)
  expect(await shownBy(tlsPort, 'www.shop.example.com')).toBe(issued.fingerprint)
  const redirect = await get(httpPort, 'shop.example.com', '/x?y')
  expect([redirect.status, redirect.headers['location']]).toEqual([301, `https://shop.example.com:${tlsPort}/x?y`])
  expect([pebble.issued() - issuedBefore, pebble.accounts()]).toEqual([1, 1])

  const life = Date.parse(issued.expires_at!) - Date.parse(issued.issued_at!)
  const renews = (Date.parse(issued.renews_at!) - Date.parse(issued.issued_at!)) / life
  expect(renews).toBeGreaterThan(0.62)
  expect(renews).toBeLessThan(0.67)
  clock.offset = Date.parse(issued.renews_at!) - Date.now() + 1000
  try {
    const renewed = await until('the certificate to be renewed', async () => {
      mesh.master.ctx.wake('certificates')
      const shown = await show(issued.id)
      return shown.fingerprint !== issued.fingerprint && shown
    })
    expect(renewed.names).toEqual(issued.names)
    await until('nginx to show it', async () => (await shownBy(tlsPort, 'shop.example.com')) === renewed.fingerprint)
  } finally {
    clock.offset = 0
  }
  const orders = await mesh.client.call(routes.listCertificateOrders, { params: { certificate_id: asked.id } })
  expect(orders.data.map(({ outcome }) => outcome)).toEqual(['issued', 'issued'])
})

test('a host that waits for its certificate is there over plain HTTP, and sends nobody where nothing is', {
  timeout: 120_000,
}, async () => {
  // No kernel connects to a group of hosts, whatever the network around it does with the rest.
  await pebble.setAddresses('later.example.com', ['224.0.0.1'])
  const asked = await request('later.example.com')
  const host = await addHost('later.example.com', asked)
  const failed = await ended(asked.id, 'failed')
  expect(failed.error).toMatchObject({ code: 'connection', message: expect.stringContaining('could not connect') })
  expect(Date.parse(failed.renews_at!)).toBeGreaterThan(Date.now() + 4 * 60_000)
  await until('nginx to answer', async () => (await get(httpPort, 'later.example.com')).status === 404)
  expect(await shownBy(tlsPort, 'shop.example.com')).toMatch(/^[0-9a-f]{64}$/)
  await pebble.setAddresses('later.example.com', ['127.0.0.1'])
  clock.offset = Date.parse(failed.renews_at!) - Date.now() + 1000
  try {
    expect(await ended(asked.id, 'active')).toMatchObject({ error: null })
  } finally {
    clock.offset = 0
  }
  await mesh.client.call(routes.deleteVirtualHost, { params: { virtual_host_id: host.id } })
})

test('a CA that is away for an hour, and comes back without a memory', { timeout: 120_000 }, async () => {
  const asked = await request('patient.example.com')
  await pebble.stop()
  await addHost('patient.example.com', asked)
  await until('the order to wait for the CA', async () => (await held(asked.id)).error!.code === 'unreachable')
  expect((await show(asked.id)).status).toBe('pending')
  await pebble.start()
  clock.offset = 3_600_000
  try {
    expect(await ended(asked.id, 'active')).toMatchObject({ error: null })
  } finally {
    clock.offset = 0
  }
})

test('a master whose clock is behind that of its CA', { timeout: 120_000 }, async () => {
  clock.offset = -2 * 3_600_000
  try {
    const asked = await (await signIn(mesh.base)).call(routes.requestCertificate, {
      params: workspace(),
      body: { domain: 'slow.example.com', provider: 'letsencrypt' },
    })
    await addHost('slow.example.com', asked)
    expect(await ended(asked.id, 'active')).toMatchObject({ error: null })
  } finally {
    clock.offset = 0
  }
})

test('a revoked certificate is revoked at the CA, and replaced', { timeout: 120_000 }, async () => {
  const asked = await request('stolen.example.com')
  await addHost('stolen.example.com', asked)
  const issued = await ended(asked.id, 'active')
  const revoked = await mesh.client.call(routes.revokeCertificate, {
    params: { certificate_id: asked.id },
    body: { reason: 'key_compromise' },
  })
  expect(revoked.status).toBe('revoked')
  expect(await pebble.statusOf(issued.serial!)).toBe('Revoked')
  const replaced = await ended(asked.id, 'active')
  expect(replaced.fingerprint).not.toBe(issued.fingerprint)
  expect(await pebble.statusOf(replaced.serial!)).toBe('Valid')
})

test('a key of an account is changed while certificates go on', { timeout: 120_000 }, async () => {
  const { data } = await mesh.client.call(routes.listAcmeAccounts, { params: workspace() })
  const [account] = data
  expect(data).toMatchObject([{ name: 'letsencrypt', status: 'registered' }])
  const made = pebble.accounts()
  const rotated = await mesh.client.call(routes.rotateAcmeAccountKey, { params: { acme_account_id: account!.id } })
  expect(rotated).toMatchObject({ status: 'registered', account_url: account!.account_url })
  expect(rotated.thumbprint).not.toBe(account!.thumbprint)
  const asked = await request('rotated.example.com')
  await addHost('rotated.example.com', asked)
  await ended(asked.id, 'active')
  expect(pebble.accounts()).toBe(made)
})

test('another CA asks for an external account binding, and looks slowly', { timeout: 120_000 }, async () => {
  const eab = { kid: 'kid-1', hmacKey: Buffer.from('a key of at least thirty-two bytes').toString('base64url') }
  const directory = join(mesh.directory, 'strict')
  await using strict = await startPebble({ directory, httpPort, eab, slow: 4, authzReuse: 50 })
  const account = (more: object) =>
    mesh.client.call(routes.createAcmeAccount, {
      params: workspace(),
      body: { name: 'strict', directory_url: strict.directoryUrl, ca_pem: strict.caPem, ...more },
    })
  const { id } = await account({})
  const asked = await request('bound.example.com', { provider: 'acme' })
  await addHost('bound.example.com', asked)
  expect((await held(asked.id)).error!.code).toBe('externalAccountRequired')
  const params = { acme_account_id: id }
  await mesh.client.call(routes.updateAcmeAccount, { params, body: { eab_kid: eab.kid, eab_hmac_key: eab.hmacKey } })
  const issued = await ended(asked.id, 'active')
  expect(issued).toMatchObject({ acme_account_id: id, error: null })
  await expect(mesh.client.call(routes.deleteAcmeAccount, { params })).rejects.toThrow('in use')
})
