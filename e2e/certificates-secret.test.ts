import { execFile } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, connect as plain, type Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startAgent } from '@nxmesh/agent/start'
import { createClient } from '@nxmesh/api/client'
import { routes } from '@nxmesh/api/routes'
import { newChain } from '@nxmesh/testkit/certificates'
import { accessToken } from '@nxmesh/testkit/master'
import { killNginx, nginxBinary } from '@nxmesh/testkit/nginx'
import { startPebble } from '@nxmesh/testkit/pebble'
import { freePort } from '@nxmesh/testkit/ports'
import { startMasterProgram } from '@nxmesh/testkit/programs'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

const masterFile = new URL('../packages/master/src/main.ts', import.meta.url).pathname

test('private keys are in the files of nginx, and nowhere else', { timeout: 180_000 }, async () => {
  await using stack = new AsyncDisposableStack()
  const directory = stack.use(await scratch()).path
  const [httpPort, tlsPort] = [await freePort(), await freePort()]
  const pebble = stack.use(await startPebble({ directory: join(directory, 'pebble'), httpPort }))
  const ca = join(directory, 'pebble-ca.pem')
  await writeFile(ca, pebble.caPem)
  const cores = join(directory, 'cores')
  await mkdir(cores)
  const ports = { http: await freePort(), agents: await freePort() }
  const acme = ['--acme-directory', pebble.directoryUrl, '--acme-ca-file', ca, '--dns-resolvers', pebble.dns, '--log-level', 'trace']
  const dataDir = join(directory, 'master')
  const master = stack.use(await startMasterProgram(dataDir, ports, acme, { before: `ulimit -c unlimited; cd ${cores}` }))
  const wire = stack.use(await startWiretap(ports.agents))
  const base = `http://127.0.0.1:${ports.http}`
  const token = await accessToken(base)
  const client = createClient(base, () => token)
  const { id: organization_id } = (await client.call(routes.listOrganizations, {})).data[0]!
  const params = { workspace_id: (await client.call(routes.listWorkspaces, { params: { organization_id } })).data[0]!.id }
  await client.call(routes.updateSettings, { params, body: { http_port: httpPort } })
  const agentToken = await client.call(routes.createAgentToken, { params, body: { name: 'agent' } })
  const agentDir = join(directory, 'agent')
  stack.defer(() => killNginx(agentDir))
  const options = {
    master: `127.0.0.1:${wire.port}`,
    dataDir: agentDir,
    nginx: nginxBinary(),
    mode: 'owned',
    labels: {},
    deploymentMode: 'standalone',
  } as const
  stack.use(await startAgent({ ...options, token: agentToken.token }))

  const chain = await newChain({ names: ['uploaded.example.com'] })
  const material = { certificate_pem: chain.certPem, private_key_pem: chain.keyPem }
  const requests = [
    { domain: 'ordered.example.com', provider: 'letsencrypt' as const },
    { domain: 'inside.example.com', provider: 'self_signed' as const },
    { domain: 'uploaded.example.com', provider: 'uploaded' as const, ...material },
  ]
  const ids: string[] = []
  for (const body of requests) {
    const { id } = await client.call(routes.requestCertificate, { params, body })
    ids.push(id)
    const host = { name: body.domain, server_name: body.domain, listen_port: tlsPort, ssl_enabled: true, ssl_certificate_id: id }
    await client.call(routes.createVirtualHost, { params, body: host })
  }
  await until('all of them to be served', async () => keyFiles(agentDir).length === ids.length, 60)
  const files = keyFiles(agentDir)
  expect(files.map((file) => statSync(file).mode & 0o777)).toEqual(files.map(() => 0o600))
  const secrets = [chain.keyPem, ...files.map((file) => readFileSync(file, 'utf8'))].flatMap(traces)

  // What the API says, of every object and in every list.
  const said: string[] = []
  const paths = [
    ...ids.flatMap((id) => [`/certificates/${id}`, `/certificates/${id}/chain`, `/certificates/${id}/orders`]),
    ...['certificates', 'acme-accounts', 'certificate-authority', 'audit-log?per_page=100', 'revisions?per_page=100'].map(
      (path) => `/workspaces/${params.workspace_id}/${path}`,
    ),
    ...['', '/config', '/config/diff'].map((path) => `/agents/${agentToken.agent_id}${path}`),
  ]
  const { data: revisions } = await client.call(routes.listRevisions, { params, query: {} })
  for (const { version } of revisions)
    paths.push(...['', '/diff'].map((path) => `/workspaces/${params.workspace_id}/revisions/${version}${path}`))
  for (const path of paths) {
    const answer = await fetch(`${base}/v1${path}`, { headers: { authorization: `Bearer ${token}` } })
    expect([path, answer.status]).toEqual([path, 200])
    said.push(await answer.text())
  }
  const backup = join(directory, 'backup')
  await promisify(execFile)(process.execPath, [masterFile, 'backup', backup, '--data-dir', dataDir])

  // A core file of the master is written where it stands.
  await master.end('SIGABRT')
  const dumped = readdirSync(cores).map((name) => join(cores, name))
  expect(dumped.length).toBeGreaterThan(0)
  const places: [string, Buffer][] = [
    ['answers', Buffer.from(said.join('\n'))],
    ['log of the master', Buffer.from(master.output())],
    ['traffic of the agent', wire.bytes()],
    ...[...filesIn(dataDir), ...filesIn(backup), ...dumped].map((file): [string, Buffer] => [file, readFileSync(file)]),
  ]
  const found = places.flatMap(([name, bytes]) => (secrets.some((secret) => bytes.includes(secret)) ? name : []))
  expect(found).toEqual([])
  // The search would find them.
  expect(files.every((file) => secrets.some((secret) => readFileSync(file).includes(secret)))).toBe(true)
})

/** How a key may lie about: as lines of PEM, and as the bytes of the secret number. */
function traces(pem: string): Buffer[] {
  const { d } = createPrivateKey(pem).export({ format: 'jwk' })
  const number = Buffer.from(d!, 'base64url')
  const lines = pem.split('\n').filter((line) => !line.startsWith('-----') && line.length > 40)
  return [number, ...lines.map((line) => Buffer.from(line)), Buffer.from(d!), Buffer.from(number.toString('hex'))]
}

function keyFiles(agentDir: string): string[] {
  return filesIn(join(agentDir, 'current', 'certificates')).filter((file) => file.endsWith('.key'))
}

function filesIn(path: string): string[] {
  try {
    if (statSync(path).isFile()) return [path]
    return readdirSync(path, { recursive: true, withFileTypes: true }).flatMap((entry) =>
      entry.isFile() ? join(entry.parentPath, entry.name) : [],
    )
  } catch {
    return []
  }
}

/** A relay to a port of this machine that keeps what passes. */
async function startWiretap(target: number) {
  const chunks: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = plain(target, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('data', (chunk) => {
        chunks.push(chunk)
        to.write(chunk)
      })
      from.on('error', () => to.destroy()).on('close', () => to.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as { port: number }).port,
    bytes: () => Buffer.concat(chunks),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((closed) => server.close(closed))
    },
  }
}
