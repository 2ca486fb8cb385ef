import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { routes } from '@nxmesh/api/routes'
import { startBind } from '@nxmesh/testkit/bind'
import { startMesh } from '@nxmesh/testkit/mesh'
import { startPebble } from '@nxmesh/testkit/pebble'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

test('a wildcard is proved by records in a zone that its challenge is delegated to', { timeout: 120_000 }, async () => {
  await using place = await scratch()
  const tlsPort = await freePort()
  const lines = [
    '*.example.com. A 127.0.0.1',
    '_acme-challenge.example.com. CNAME example-com.acme.test.',
    'strict.example.com. CAA 0 issue "other.test"',
  ]
  await using bind = await startBind(place.path, { open: { 'acme.test': [] }, fixed: { 'example.com': lines }, recursion: true })
  await using pebble = await startPebble({ directory: join(place.path, 'pebble'), dnsServer: bind.server })
  const ca = join(place.path, 'pebble-ca.pem')
  await writeFile(ca, pebble.caPem)
  const acme = ['--acme-directory', pebble.directoryUrl, '--acme-ca-file', ca, '--dns-resolvers', bind.server]
  await using mesh = await startMesh({ settings: [...acme, '--outbound-networks', '127.0.0.1'] })
  const { client, workspaceId } = mesh
  const params = { workspace_id: workspaceId }
  const [key] = bind.keys
  const provider = await client.call(routes.createDnsProvider, {
    params,
    body: {
      kind: 'rfc2136',
      name: 'bind',
      server: bind.server,
      tsig_name: key!.name,
      tsig_algorithm: key!.algorithm,
      tsig_secret: key!.secret,
    },
  })
  const body = { domain: 'example.com', names: ['*.example.com'], provider: 'letsencrypt' as const, dns_provider_id: provider.id }
  expect(await client.call(routes.preflightCertificate, { params, body })).toEqual({ ready: true, findings: [] })
  const asked = await client.call(routes.requestCertificate, { params, body })
  expect(asked).toMatchObject({ is_wildcard: true, challenge: 'dns-01' })
  const issued = await until(
    'the certificate to be issued',
    async () => {
      const shown = await client.call(routes.getCertificate, { params: { certificate_id: asked.id } })
      if (shown.status === 'failed') throw new Error(JSON.stringify(shown.error))
      return shown.status === 'active' && shown
    },
    60,
  )
  expect(issued.names).toEqual(['example.com', '*.example.com'])
  // What was written for the CA is gone, and the provider is needed for the next time.
  const resolver = mesh.master.ctx.resolver
  const left = await client.call(routes.listCertificateOrders, { params: { certificate_id: asked.id } })
  expect(left.data).toMatchObject([{ outcome: 'issued', names: [{ challenge: 'dns-01' }, { challenge: 'dns-01' }] }])
  expect(await resolver.sees({ name: 'example-com.acme.test', value: 'x' })).toMatchObject({ ok: true, seen: false })
  await expect(client.call(routes.deleteDnsProvider, { params: { dns_provider_id: provider.id } })).rejects.toThrow('in use')

  const host = { name: 'any', server_name: 'any.example.com', listen_port: tlsPort, ssl_enabled: true, ssl_certificate_id: asked.id }
  await client.call(routes.createVirtualHost, { params, body: host })
  await mesh.settled(mesh.agents[0]!.id)
  const socket = connect({ port: tlsPort, host: '127.0.0.1', servername: 'any.example.com', ca: await pebble.roots() })
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  expect(socket.authorized).toBe(true)
  socket.destroy()
})
