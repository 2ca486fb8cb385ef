import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startAgent } from '@nxmesh/agent/start'
import { routes } from '@nxmesh/api/routes'
import { startFront } from '@nxmesh/testkit/front'
import { signIn } from '@nxmesh/testkit/master'
import { killNginx, nginxBinary } from '@nxmesh/testkit/nginx'
import { startPebble } from '@nxmesh/testkit/pebble'
import { freePort } from '@nxmesh/testkit/ports'
import { startMasterProgram } from '@nxmesh/testkit/programs'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

/** The requests of an order, by how their paths begin at this CA. */
const requests = {
  account: /^\/sign-me-up/,
  order: /^\/order-plz/,
  authorization: /^\/authZ\//,
  challenge: /^\/chalZ\//,
  finalization: /^\/finalize-order\//,
  download: /^\/certZ\//,
}

test('whenever the master is killed in an order, one certificate comes of it, and no second account', { timeout: 300_000 }, async () => {
  await using stack = new AsyncDisposableStack()
  const directory = stack.use(await scratch()).path
  const httpPort = await freePort()
  const pebble = stack.use(await startPebble({ directory: join(directory, 'pebble'), httpPort }))
  let killAt: { path: RegExp; moment: string } | undefined
  const kill = async () => {
    killAt = undefined
    await master.end('SIGKILL')
  }
  const front = stack.use(
    await startFront({ port: Number(new URL(pebble.directoryUrl).port), caPem: pebble.caPem }, async (path, moment) => {
      if (killAt?.path.test(path) && killAt.moment === moment) await kill()
    }),
  )
  const ca = join(directory, 'front-ca.pem')
  await writeFile(ca, front.caPem)
  const ports = { http: await freePort(), agents: await freePort() }
  const acme = ['--acme-directory', `https://127.0.0.1:${front.port}/dir`, '--acme-ca-file', ca, '--dns-resolvers', pebble.dns]
  const start = () => startMasterProgram(join(directory, 'master'), ports, acme)
  let master = await start()
  stack.defer(() => master.end('SIGKILL'))
  const client = await signIn(`http://127.0.0.1:${ports.http}`)
  const { id: organization_id } = (await client.call(routes.listOrganizations, {})).data[0]!
  const params = { workspace_id: (await client.call(routes.listWorkspaces, { params: { organization_id } })).data[0]!.id }
  await client.call(routes.updateSettings, { params, body: { http_port: httpPort } })
  const { token } = await client.call(routes.createAgentToken, { params, body: { name: 'agent' } })
  const dataDir = join(directory, 'agent')
  stack.defer(() => killNginx(dataDir))
  const options = {
    master: `127.0.0.1:${ports.agents}`,
    dataDir,
    nginx: nginxBinary(),
    mode: 'owned',
    labels: {},
    deploymentMode: 'standalone',
  } as const
  stack.use(await startAgent({ ...options, token }))
  await client.call(routes.createVirtualHost, {
    params,
    body: { name: 'plain', server_name: 'plain.example.com', listen_port: httpPort },
  })

  const moments = Object.entries(requests).flatMap(([name, path]) =>
    [`before ${name}`, `after ${name}`].map((moment) => ({ path, moment })),
  )
  for (const [index, { path, moment }] of moments.entries()) {
    killAt = { path, moment: moment.split(' ')[0]! }
    const issuedBefore = pebble.issued()
    // An account is registered with its first order alone, so the second kill is at that of another.
    const provider = moment === 'after account' ? ('letsencrypt_staging' as const) : ('letsencrypt' as const)
    const { id } = await client.call(routes.requestCertificate, { params, body: { domain: `kill-${index}.example.com`, provider } })
    await until(`the master to be killed ${moment}`, () => killAt === undefined, 30)
    await master.ended
    master = await start()
    const certificate = await until(
      `a certificate, killed ${moment}`,
      async () => {
        const shown = await client.call(routes.getCertificate, { params: { certificate_id: id } }).catch(() => undefined)
        if (shown?.status === 'failed') throw new Error(JSON.stringify(shown.error))
        return shown?.status === 'active' && shown
      },
      60,
    )
    const orders = await client.call(routes.listCertificateOrders, { params: { certificate_id: id } })
    expect([moment, orders.data.map(({ outcome }) => outcome), certificate.order]).toEqual([moment, ['issued'], null])
    expect([moment, pebble.issued() - issuedBefore]).toEqual([moment, 1])
  }
  expect(pebble.accounts()).toBe(2)
})
