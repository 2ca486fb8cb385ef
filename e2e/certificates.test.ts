import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { routes } from '@nxmesh/api/routes'
import { get } from '@nxmesh/testkit/get'
import { startMesh } from '@nxmesh/testkit/mesh'
import { startPebble } from '@nxmesh/testkit/pebble'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

test('a certificate is ordered, proved by the agents and served', { timeout: 120_000 }, async () => {
  await using place = await scratch()
  const [httpPort, tlsPort] = [await freePort(), await freePort()]
  await using pebble = await startPebble({ directory: join(place.path, 'pebble'), httpPort, nonceReject: 20 })
  const ca = join(place.path, 'pebble-ca.pem')
  await writeFile(ca, pebble.caPem)
  const settings = ['--acme-directory', pebble.directoryUrl, '--acme-ca-file', ca, '--dns-resolvers', pebble.dns]
  await using mesh = await startMesh({ settings })
  const { client, workspaceId } = mesh
  const params = { workspace_id: workspaceId }
  await client.call(routes.updateSettings, { params, body: { http_port: httpPort } })
  const certificate = await client.call(routes.requestCertificate, {
    params,
    body: { domain: 'shop.example.com', names: ['www.shop.example.com'], provider: 'letsencrypt' },
  })
  expect(certificate).toMatchObject({ status: 'pending', issued_at: null, challenge: 'http-01' })
  const failed = await until('the preflight to say what is missing', async () => {
    const shown = await client.call(routes.getCertificate, { params: { certificate_id: certificate.id } })
    return shown.status === 'failed' && shown
  })
  expect(failed.error).toMatchObject({ code: 'no_agent' })
  await client.call(routes.createVirtualHost, {
    params,
    body: {
      name: 'Shop',
      server_name: 'shop.example.com www.shop.example.com',
      listen_port: tlsPort,
      ssl_enabled: true,
      ssl_certificate_id: certificate.id,
      tls: { redirect_http: true, hsts: { max_age: 1000 } },
      locations: [{ path: '/', custom_directives: { return: '200 shop' } }],
    },
  })
  await client.call(routes.renewCertificate, { params: { certificate_id: certificate.id } })
  const issued = await until(
    'the certificate to be issued',
    async () => {
      const shown = await client.call(routes.getCertificate, { params: { certificate_id: certificate.id } })
      if (shown.status === 'failed') throw new Error(JSON.stringify(shown.error))
      return shown.status === 'active' && shown
    },
    60,
  )
  expect(issued).toMatchObject({ order: null, error: null })
  await mesh.settled(mesh.agents[0]!.id)
  const roots = await pebble.roots()
  const socket = connect({ port: tlsPort, host: '127.0.0.1', servername: 'www.shop.example.com', ca: roots })
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  expect(socket.authorized).toBe(true)
  socket.destroy()
  const redirect = await get(httpPort, 'shop.example.com', '/x?y')
  expect(redirect).toMatchObject({ status: 301, headers: { location: `https://shop.example.com:${tlsPort}/x?y` } })
  expect(pebble.issued()).toBe(1)
  expect(pebble.accounts()).toBe(1)
})
