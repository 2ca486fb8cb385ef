import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from '@nxmesh/api/client'
import { routes } from '@nxmesh/api/routes'
import { type Chain, newChain, selfSignedServer } from '@nxmesh/testkit/certificates'
import { signIn } from '@nxmesh/testkit/master'
import { freePort } from '@nxmesh/testkit/ports'
import { startMasterProgram } from '@nxmesh/testkit/programs'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startReceiver } from './receiver.ts'
import { asWebhook, webhook } from './rig.ts'

const stack = new AsyncDisposableStack()
const names = ['localhost', '127.0.0.1']
const day = 86_400_000
let trusted: Chain
let misplaced: Chain
let old: Chain
let client: Client
let params: { workspace_id: string }

// Node reads whom to trust once, when a process starts.
beforeAll(async () => {
  const directory = stack.use(await scratch()).path
  const file = join(directory, 'own-ca.pem')
  trusted = await newChain({ names })
  misplaced = await newChain({ names: ['hooks.example.com'], prefix: 'Other ' })
  old = await newChain({ names, prefix: 'Old ', notBefore: Date.now() - 90 * day, notAfter: Date.now() - day })
  await writeFile(file, [trusted, misplaced, old].map(({ rootPem }) => rootPem).join(''))
  const ports = { http: await freePort(), agents: await freePort() }
  const settings = ['--outbound-networks', '127.0.0.1']
  stack.use(await startMasterProgram(join(directory, 'master'), ports, settings, { env: { NODE_EXTRA_CA_CERTS: file } }))
  client = await signIn(`http://127.0.0.1:${ports.http}`)
  const { id: organization_id } = (await client.call(routes.listOrganizations, {})).data[0]!
  params = { workspace_id: (await client.call(routes.listWorkspaces, { params: { organization_id } })).data[0]!.id }
})

afterAll(() => stack.disposeAsync())

const newChannel = (name: string, url: string) =>
  client.call(routes.createNotificationChannel, { params, body: webhook(name, url, { events: ['upstream.created'] }) })

const serverOf = ({ certPem, intermediatePem, keyPem }: Chain) => ({ cert: `${certPem}${intermediatePem}`, key: keyPem })

/** What the log says of a test that is sent to a receiver with this certificate, if it has any. */
async function logged(name: string, tls: { cert: string; key: string } | undefined) {
  await using receiver = await startReceiver(undefined, tls)
  const { id } = await newChannel(name, `https://localhost:${receiver.port}/`)
  const of = { params: { notification_channel_id: id } }
  await client.call(routes.testNotificationChannel, of)
  const { data } = await client.call(routes.listNotificationDeliveries, of)
  return { deliveries: data, heard: receiver.heard }
}

test.each(names)('a receiver whose authority is trusted gets its webhooks at %s', async (host) => {
  await using receiver = await startReceiver(undefined, serverOf(trusted))
  const channel = asWebhook(await newChannel(`at ${host}`, `https://${host}:${receiver.port}/hook`))
  const body = { name: `at-${host.replaceAll('.', '-')}`, servers: [{ address: '10.0.0.1:80' }] }
  const { id } = await client.call(routes.createUpstream, { params, body })
  const [heard] = await until('it to arrive', () => (receiver.heard.length > 0 ? receiver.heard : undefined))
  expect(new Webhook(channel.secret!).verify(heard!.body, heard!.headers as Record<string, string>)).toMatchObject({
    type: 'upstream.created',
    data: { upstream_id: id },
  })
})

const untrusted = 'its certificate comes from no authority that is trusted here'

test.each<[what: string, chain: () => Chain | Promise<Chain>, error: string]>([
  [
    'of an authority that nobody named',
    () => newChain({ names, prefix: 'Nobody’s ' }),
    `${untrusted}: unable to get local issuer certificate`,
  ],
  [
    'that is its own authority',
    async () => ({ ...trusted, ...(await selfSignedServer(names)), intermediatePem: '' }),
    `${untrusted}: self-signed certificate`,
  ],
  ['without the one above it', () => ({ ...trusted, intermediatePem: '' }), `${untrusted}: unable to verify the first certificate`],
  [
    'for another name',
    () => misplaced,
    `its certificate is for others: Host: localhost. is not in the cert's altnames: DNS:hooks.example.com`,
  ],
  ['that has ended', () => old, 'certificate has expired'],
])('a certificate %s is refused, and the log says why', async (what, chain, error) => {
  const { deliveries, heard } = await logged(what, serverOf(await chain()))
  expect(deliveries).toMatchObject([{ state: 'failed', status: null, response: null, error }])
  expect(heard).toEqual([])
})

test('where no TLS is spoken the log says so', async () => {
  const { deliveries } = await logged('plain', undefined)
  expect(deliveries).toMatchObject([{ state: 'failed', error: 'TLS failed: wrong version number' }])
})
