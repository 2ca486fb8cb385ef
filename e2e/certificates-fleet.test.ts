import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { routes } from '@nxmesh/api/routes'
import { isSettled, startMesh } from '@nxmesh/testkit/mesh'
import { openNetwork } from '@nxmesh/testkit/namespaces'
import { startPebble } from '@nxmesh/testkit/pebble'
import { startAgentProgram } from '@nxmesh/testkit/programs'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

test('whichever of three hosts the CA reaches answers it, without a push for the order', { timeout: 180_000 }, async () => {
  await using place = await scratch()
  await using network = await openNetwork(3)
  const httpPort = 80
  await using pebble = await startPebble({ directory: join(place.path, 'pebble'), httpPort })
  const ca = join(place.path, 'pebble-ca.pem')
  await writeFile(ca, pebble.caPem)
  const acme = ['--acme-directory', pebble.directoryUrl, '--acme-ca-file', ca, '--dns-resolvers', pebble.dns]
  await using mesh = await startMesh({
    agents: 0,
    settings: [...acme, '--agents', `${network.address}:0`, '--agent-names', network.address],
  })
  const { client, workspaceId } = mesh
  const params = { workspace_id: workspaceId }
  await using stack = new AsyncDisposableStack()
  const agents: string[] = []
  for (const { namespace } of network.hosts) {
    const { id, options } = await mesh.newAgent(namespace)
    const master = `${network.address}:${mesh.master.agents.port}`
    stack.use(await startAgentProgram({ ...options, master }, { namespace }))
    agents.push(id)
  }

  const names = network.hosts.map((_host, index) => `host-${index}.example.com`)
  const certificates: string[] = []
  for (const [index, domain] of names.entries()) {
    await pebble.setAddresses(domain, [network.hosts[index]!.address])
    certificates.push((await client.call(routes.requestCertificate, { params, body: { domain, provider: 'letsencrypt' } })).id)
  }
  for (const [index, domain] of names.entries()) {
    const body = { name: domain, server_name: domain, listen_port: 443, ssl_enabled: true, ssl_certificate_id: certificates[index]! }
    await client.call(routes.createVirtualHost, { params, body })
  }
  for (const id of certificates) {
    await until(
      'the certificate to be issued',
      async () => {
        const shown = await client.call(routes.getCertificate, { params: { certificate_id: id } })
        if (shown.status === 'failed') throw new Error(JSON.stringify(shown.error))
        return shown.status === 'active'
      },
      60,
    )
  }
  for (const id of agents) await until('the agent to serve them', async () => isSettled(await mesh.show(id)), 30)
  const roots = await pebble.roots()
  for (const { address } of network.hosts) {
    for (const servername of names) {
      const socket = connect({ port: 443, host: address, servername, ca: roots })
      await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
      expect(socket.authorized).toBe(true)
      socket.destroy()
    }
  }
  // A renewal that any host may be asked to prove changes nothing before the certificate is there.
  const [first] = certificates
  await pebble.setAddresses(
    names[0]!,
    network.hosts.map(({ address }) => address),
  )
  const version = async () => (await client.call(routes.listRevisions, { params, query: {} })).data[0]!.version
  const before = await version()
  await client.call(routes.renewCertificate, { params: { certificate_id: first! } })
  await until('the renewal to end', async () => {
    const { data } = await client.call(routes.listCertificateOrders, { params: { certificate_id: first! } })
    return data.length === 2 && data.every(({ outcome }) => outcome === 'issued')
  })
  expect(await version()).toBe(before + 1)
})
