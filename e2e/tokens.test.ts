import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startAgent } from '@nxmesh/agent/start'
import { routes } from '@nxmesh/api/routes'
import { type NewAgent, startMesh } from '@nxmesh/testkit/mesh'
import { killNginx } from '@nxmesh/testkit/nginx'
import { startAgentProgram } from '@nxmesh/testkit/programs'
import { addSite } from '@nxmesh/testkit/site'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

/** Starts an agent whose log is kept. */
async function startLogged(options: NewAgent['options']) {
  const lines: string[] = []
  const agent = await startAgent(options, { log: (_level, message) => lines.push(message) })
  return { lines, [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]() }
}

const saying = (agent: { lines: string[] }, words: RegExp) =>
  until(`the agent to say ${words}`, () => agent.lines.find((line) => words.test(line)), 20)

test('an agent that is deleted while connected: cut at once, its token and certificate worthless, nginx serves on', async () => {
  await using mesh = await startMesh({ agents: 0 })
  await using site = await addSite(mesh, 'site')
  const { id, options, dataDir } = await mesh.newAgent('goner')
  const agent = await startLogged(options)
  await using _agent = agent
  await mesh.settled(id)
  const load = site.load()
  await mesh.client.call(routes.deleteAgent, { params: { agent_id: id } })
  await expect(mesh.show(id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await saying(agent, /refuses this agent: the agent was deleted/)
  expect(mesh.master.ctx.sessions.size()).toBe(0)
  await agent[Symbol.asyncDispose]()

  const withCertificate = await startLogged(options)
  await using _withCertificate = withCertificate
  await saying(withCertificate, /refuses this agent: this agent is not known here: it was deleted/)
  await withCertificate[Symbol.asyncDispose]()
  await rm(join(dataDir, 'identity'), { recursive: true })
  await using withToken = await startLogged(options)
  await saying(withToken, /refuses this agent: the token is not valid/)
  expect(mesh.master.ctx.sessions.size()).toBe(0)
  expect((await site.get()).body).toBe('site')
  expect(await load.stop()).toMatchObject({ failures: [] })
})

test('a revoked agent is offline at once and cannot come back; nginx serves on', async () => {
  await using mesh = await startMesh({ agents: 0 })
  await using site = await addSite(mesh, 'site')
  const { id, options } = await mesh.newAgent('revoked')
  const agent = await startLogged(options)
  await using _agent = agent
  await mesh.settled(id)
  await mesh.client.call(routes.revokeAgent, { params: { agent_id: id } })
  await until('the agent to be offline', async () => (await mesh.show(id)).state === 'offline', 2)
  await saying(agent, /refuses this agent: the agent was revoked/)
  await agent[Symbol.asyncDispose]()
  await using again = await startLogged(options)
  await saying(again, /refuses this agent: the certificate of this agent was revoked/)
  expect(await mesh.show(id)).toMatchObject({ state: 'offline' })
  expect((await site.get()).body).toBe('site')
})

test('once an agent came back with its certificate, its token opens nothing for anybody else', async () => {
  await using mesh = await startMesh({ agents: 0 })
  const { id, options } = await mesh.newAgent('upgraded')
  const first = await startAgent(options)
  await mesh.settled(id)
  await first[Symbol.asyncDispose]()
  await until('the agent to be offline', async () => (await mesh.show(id)).state === 'offline')
  await using _second = await startAgent(options)
  await mesh.settled(id)

  const elsewhere = join(mesh.directory, 'elsewhere')
  await using _nginx = { [Symbol.asyncDispose]: () => killNginx(elsewhere) }
  await using thief = await startLogged({ ...options, dataDir: elsewhere })
  await saying(thief, /refuses this agent: this agent has a certificate; its token no longer works/)
  expect(await mesh.show(id)).toMatchObject({ state: 'online' })
  expect(mesh.master.ctx.sessions.size()).toBe(1)
})

const isRoot = process.getuid?.() === 0

test.skipIf(!isRoot)('a copied data directory on another machine is a clone and stays out', async () => {
  await using mesh = await startMesh({ agents: 0 })
  await using site = await addSite(mesh, 'site')
  const { id, options, dataDir } = await mesh.newAgent('original')
  await using _agent = await startAgent(options)
  await mesh.settled(id)
  const copy = join(mesh.directory, 'copy')
  await cp(dataDir, copy, { recursive: true, filter: (path) => !path.startsWith(join(dataDir, 'runtime')) })
  const other = join(mesh.directory, 'machine-id')
  await writeFile(other, '0123456789abcdef0123456789abcdef\n')

  await using _nginx = { [Symbol.asyncDispose]: () => killNginx(copy) }
  const before = `mount --bind ${other} /etc/machine-id`
  await using clone = await startAgentProgram({ ...options, dataDir: copy }, { before })
  await until('the clone to be refused', () => clone.output().includes('refuses this agent: this identity belongs to another machine'))
  expect(await mesh.show(id)).toMatchObject({ state: 'online' })
  expect(mesh.master.ctx.sessions.size()).toBe(1)
  expect((await site.get()).body).toBe('site')
  expect(await readFile('/etc/machine-id', 'utf8')).not.toContain('0123456789abcdef0123456789abcdef')
})

test('a second agent on the same data directory is refused before it does anything', async () => {
  await using mesh = await startMesh({ agents: 0 })
  const { id, options, dataDir } = await mesh.newAgent('only')
  await using _agent = await startAgent(options)
  await mesh.settled(id)
  await expect(startAgent(options)).rejects.toThrow(`another agent already runs on the data directory ${dataDir}`)
  await expect(startAgentProgram(options)).rejects.toThrow('another agent already runs')
  expect(await mesh.show(id)).toMatchObject({ state: 'online' })
})
