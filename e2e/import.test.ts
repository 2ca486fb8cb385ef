import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startAgent } from '@nxmesh/agent/start'
import { routes } from '@nxmesh/api/routes'
import { get } from '@nxmesh/testkit/get'
import { startMesh } from '@nxmesh/testkit/mesh'
import { nginxBinary, runs } from '@nxmesh/testkit/nginx'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

const run = promisify(execFile)

async function greeting(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  try {
    return String((await once(socket, 'data'))[0]).trim()
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code ?? ''
  } finally {
    socket.destroy()
  }
}

test('a host is taken over with what its nginx served: first to look, then with one call', { timeout: 120_000 }, async () => {
  await using stack = new AsyncDisposableStack()
  const directory = stack.use(await scratch()).path
  const [port, inner, mail] = [await freePort(), await freePort(), await freePort()]
  const [conf, pidFile] = [join(directory, 'nginx.conf'), join(directory, 'host.pid')]
  await mkdir(join(directory, 'sites'))
  await writeFile(
    conf,
    `load_module modules/ngx_mail_module.so; pid ${pidFile}; error_log ${pidFile}.log; events {} http { access_log off; include sites/*.conf; }
mail { auth_http localhost:1/auth; server { listen ${mail}; protocol pop3; } }
`,
  )
  await writeFile(
    join(directory, 'sites/shop.conf'),
    `upstream app { server 127.0.0.1:${inner}; }
server { listen ${port}; server_name shop.test; location / { proxy_pass http://app; proxy_set_header Host $host; } location = /old { return 301 /new; } }
`,
  )
  await writeFile(
    join(directory, 'sites/inner.conf'),
    `server { listen ${inner}; server_name _; location / { return 200 "inner $host"; } }\n`,
  )
  const hostPid = async () => Number(await readFile(pidFile, 'utf8').catch(() => '0'))
  const stopHost = async () => {
    const pid = await hostPid()
    if (pid > 0 && (await runs(pid))) process.kill(pid, 'SIGTERM')
    await until('the host’s nginx to end', async () => pid === 0 || !(await runs(pid)))
  }
  stack.defer(stopHost)
  await run(nginxBinary(), ['-c', conf])
  const answers = async () => {
    const [home, old] = [await get(port, 'shop.test'), await get(port, 'shop.test', '/old')]
    return { home: home.body, old: old.status, location: old.headers['location'], mail: await greeting(mail) }
  }
  const served = await until('the host’s nginx to answer', async () => {
    const now = await answers()
    return now.home === 'inner shop.test' && now.mail === '+OK POP3 ready' && now
  })

  const mesh = stack.use(await startMesh({ agents: 0 }))
  const { client, workspaceId } = mesh
  const made = await mesh.newAgent('host', { options: { nginxConf: conf } })
  const params = { agent_id: made.id }
  await expect(client.call(routes.importFromAgent, { params, body: {} })).rejects.toMatchObject({ code: 'CONFLICT' })
  stack.use(await startAgent(made.options))
  await until('the agent to be online', async () => (await mesh.show(made.id)).state === 'online')

  const other = await client.call(routes.createAgentToken, { params: { workspace_id: workspaceId }, body: { name: 'other' } })
  const beside = await client.call(routes.importFromAgent, { params, body: {} })
  expect(beside.lines.filter(({ outcome }) => outcome === 'left_out').map(({ directive }) => directive)).toEqual([
    'auth_http localhost:1/auth',
    'server',
    `listen ${mail}`,
    'protocol pop3',
  ])
  await client.call(routes.deleteAgent, { params: { agent_id: other.agent_id } })

  const looked = await client.call(routes.importFromAgent, { params, body: {} })
  expect(looked).toMatchObject({ dry_run: true, problems: [] })
  // What NxMesh adds of its own (X-Forwarded-For and its like, media types) is told; nothing is lost.
  expect(looked.differences.filter(({ change }) => change === 'removed')).toEqual([])
  expect(looked.lines.filter(({ outcome }) => outcome === 'left_out')).toEqual([])
  expect(looked.virtual_hosts.map(({ server_name }) => server_name).sort()).toEqual(['_', 'shop.test _'])
  const hosts = () => client.call(routes.listVirtualHosts, { params: { workspace_id: workspaceId }, query: {} })
  expect((await hosts()).meta.total).toBe(0)

  const taken = await client.call(routes.importFromAgent, { params, body: { dry_run: false } })
  expect(taken.version).toBe(looked.version + 1)
  expect((await hosts()).data.map(({ target_agents }) => target_agents)).toEqual([
    { type: 'agents', agent_ids: [made.id] },
    { type: 'agents', agent_ids: [made.id] },
  ])
  // The ports are the host's nginx's as long as it runs, and it goes on serving.
  await until('the agent to say so', async () => (await mesh.show(made.id)).state_reason?.includes(String(port)))
  expect(await answers()).toEqual(served)

  await stopHost()
  await until('the agent’s nginx to serve', async () => (await answers()).mail === served.mail, 60)
  // As the differences have told: redirects name no port of this host.
  expect(looked.differences).toContainEqual({ context: 'http', change: 'added', directive: 'absolute_redirect off' })
  expect(await answers()).toEqual({ ...served, location: '/new' })
  await mesh.settled(made.id)
})
