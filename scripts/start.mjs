// npm start: brings what is missing, then runs a master on embedded stores and one agent with an nginx of its own.
// npm run dev (--watch): the same, restarting both programs when their sources change.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { main, Refusal, root, run, tail } from './command.mjs'
import { ensureDependencies, ensureNginx, locateNode, programEnv } from './install.mjs'
import { endLeftovers } from './leftovers.mjs'
import { stopNginx } from './local-nginx.mjs'
import { startProgram } from './program.mjs'

const READY_MS = 60_000
// The agent connects, registers and reports its health within a second or two.
const JOIN_MS = 15_000
/** The packages whose change restarts a program under --watch. */
const SOURCES = { master: ['master', 'model', 'nginx', 'api', 'proto'], agent: ['agent', 'model', 'nginx', 'proto'] }

/** Runs master and agent until the interruption, or until one of them ends by itself. Returns the exit code. Whatever happens, nothing is left running. */
async function runMesh({ node, nginx, watch, dataDir, agentDir, http, agents, interrupted }) {
  const tokenFile = join(dataDir, 'local-agent-token')
  const launch = (name, main, flags, env) => {
    const seen = { administrator: undefined, announced: undefined }
    const announcement = new Promise((resolve) => (seen.announced = resolve))
    const onLine = (line) => {
      if (line.startsWith('administrator ')) seen.administrator = fields(line)
      if (line.startsWith('ready ') || line.startsWith('connected ')) seen.announced(fields(line))
      // A password belongs on the terminal once and in no file.
      return line.startsWith('administrator ')
    }
    const logFile = join(dataDir, `${name}.log`)
    // By folder: the agent replaces its process by itself, and node would lose track of the files it imports.
    const sources = SOURCES[name].map((folder) => `--watch-path=${join(root, 'packages', folder, 'src')}`)
    const nodeFlags = watch ? ['--watch', '--watch-preserve-output', ...sources] : []
    const program = startProgram({ name, node, args: [...nodeFlags, main, ...flags], env: programEnv(env), logFile, echo: watch, onLine })
    return { ...program, seen, announcement }
  }
  const running = []
  // Whichever comes first: what we wait for, the interruption (undefined), or the end of a program, which is an error.
  const first = (awaited) => Promise.race([interrupted, awaited, ...running.map(brokenOff)])

  try {
    const masterFlags = ['--data-dir', dataDir, '--http', http, '--agents', agents, '--local-agent-token', tokenFile]
    const master = launch('master', sourceOf('master'), masterFlags, {})
    running.push(master)
    const ready = await first(within(READY_MS, master.announcement, 'The master', master.logFile))
    if (ready === undefined) return 0
    if (master.seen.administrator) console.log(signIn(master.seen.administrator))

    // The master issues a token only while the agent has never registered, and here is no trace of that registration.
    if (!existsSync(tokenFile) && !existsSync(join(agentDir, 'identity', 'certificate.pem')))
      console.error(`\n${strangerSentence(agentDir)}`)
    const agentFlags = [
      '--master',
      reachable(ready.agents),
      '--ca-file',
      join(dataDir, 'ca.pem'),
      '--data-dir',
      agentDir,
      '--nginx',
      nginx,
      '--mode',
      'owned',
    ]
    const agent = launch(
      'agent',
      watch ? sourceOf('agent') : await bundledAgent(node),
      agentFlags,
      existsSync(tokenFile) ? { NXMESH_TOKEN_FILE: tokenFile } : {},
    )
    running.push(agent)
    const connected = await first(within(READY_MS, agent.announcement, 'The local agent', agent.logFile))
    if (connected === undefined) return 0
    // Registration used the token up.
    rmSync(tokenFile, { force: true })
    const words = await first(welcome({ http: reachable(ready.http), nginx, dataDir, administrator: master.seen.administrator }))
    if (words === undefined) return 0
    console.log(words)
    await first(new Promise(() => {}))
    return 0
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    console.error(error.message)
    return 1
  } finally {
    await stopAll(running, agentDir)
  }
}

const sourceOf = (name) => join(root, 'packages', name, 'src', 'main.ts')

/** The agent as it ships, in one bundle: reading TypeScript costs a program as much memory again as it needs. */
async function bundledAgent(node) {
  const built = await run(node, [join(root, 'packages', 'agent', 'build.mjs')])
  return built.ok ? join(root, 'packages', 'agent', 'dist', 'nxmesh-agent.mjs') : sourceOf('agent')
}

/** Stops the agent, the nginx it managed here, and then the master. */
async function stopAll(running, agentDir) {
  console.log('Stopping …')
  for (const program of [...running].reverse()) {
    const how = await program.stop()
    if (how !== undefined && how !== 'code 0') console.error(`The ${program.name} ended with ${how}; see ${program.logFile}.`)
    if (program.name === 'agent') await stopNginx(agentDir)
  }
  console.log('Stopped.')
}

async function brokenOff(program) {
  const how = await program.ended
  throw new Refusal(
    `The ${program.name} ended with ${how}. Its last lines (all of them in ${program.logFile}):\n${tail(program.recent.join('\n'), 20)}`,
  )
}

function within(ms, awaited, who, logFile) {
  const late = pause(ms, undefined, { ref: false }).then(() => {
    throw new Refusal(`${who} was not ready within ${ms / 1000} s; see ${logFile}.`)
  })
  return Promise.race([awaited, late])
}

/** Resolves with undefined at the first Ctrl-C or request to end; later ones change nothing, since everything is being stopped then. */
function untilInterrupted() {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => resolve(undefined))
  })
}

function makeDataDir(dataDir) {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new Refusal(`The data directory cannot be made (${error.message}). Set NXMESH_DATA_DIR to a folder that can be written.`)
  }
}

/** Refuses a second start on the same data. Returns what lets go of it. */
function holdDataDir(dataDir) {
  const file = join(dataDir, 'start.pid')
  const holder = existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined
  // A restarted container gives its processes the same numbers again.
  if (holder && holder !== process.pid && isStart(holder))
    throw new Refusal(`NxMesh runs already on ${dataDir} (process ${holder}). Set NXMESH_DATA_DIR for another one beside it.`)
  writeFileSync(file, String(process.pid))
  return () => rmSync(file, { force: true })
}

function isStart(pid) {
  try {
    process.kill(pid, 0)
    return !existsSync('/proc/self/cmdline') || readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('start.mjs')
  } catch {
    return false
  }
}

/** Refuses an address that another program listens on, naming the setting to change. */
async function checkAddress(address, setting) {
  const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? []
  if (port === undefined) throw new Refusal(`${setting} must be HOST:PORT, for example 127.0.0.1:8080; it is ${JSON.stringify(address)}.`)
  const obstacle = await listenOnce(host, Number(port))
  if (obstacle === undefined) return
  const reason = obstacle === 'EADDRINUSE' ? 'is in use by another program' : `cannot be listened on (${obstacle})`
  throw new Refusal(
    `${address} ${reason}. Choose another address, for example ${setting}=${host}:${Number(port) + (port > 55_535 ? -10_000 : 10_000)} npm start`,
  )
}

/** Listens for a moment. Returns the error's code when that is not possible. */
function listenOnce(host, port) {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error) => resolve(error.code ?? error.message))
    server.listen({ host, port }, () => server.close(() => resolve(undefined)))
  })
}

/** An address to connect to: what listens everywhere is reached here by the loopback address. */
const reachable = (address) => address.replace(/(^|\/\/)0\.0\.0\.0:/, '$1127.0.0.1:').replace(/\[::\]:/, '[::1]:')

const fields = (line) => Object.fromEntries([...line.matchAll(/(\w+)=(\S+)/g)].map(([, name, value]) => [name, value]))

const strangerSentence = (agentDir) =>
  `The master knows an agent "local", but its identity is gone from ${agentDir}, so it cannot join. Delete the agent "local" over the API and start again.`

const signIn = ({ email, password }) => `
Sign in as   ${email}
Password     ${password}   (made for this installation and shown only now)`

async function welcome({ http, nginx, dataDir, administrator }) {
  return `
NxMesh       ${http}
nginx        ${nginx}, managed by the agent "local"
data, logs   ${dataDir}
${await firstThing(http, administrator)}
Ctrl-C stops everything; npm start resumes with the same data.
`
}

/** Commands to paste: on the first start a site served by the local nginx, since only then the password is known here. */
async function firstThing(http, administrator) {
  const email = administrator?.email ?? process.env.NXMESH_ADMIN_EMAIL ?? 'admin@nxmesh.local'
  const password = administrator?.password ?? process.env.NXMESH_ADMIN_PASSWORD
  // A master that breaks off meanwhile is told of by whoever waits for its end.
  const workspace = password && (await findWorkspace(http, email, password).catch(() => undefined))
  if (!workspace) return `\nTry it:  curl -s ${http}/healthz\n`
  let port = 8081
  while ((await listenOnce('0.0.0.0', port)) !== undefined) port += 1
  const given = administrator ? '' : `Sign in as   ${email}, with the password in NXMESH_ADMIN_PASSWORD\n`
  const shown = administrator ? password : '\'"$NXMESH_ADMIN_PASSWORD"\''
  const site = {
    name: 'Hello',
    server_name: 'localhost',
    listen_port: port,
    locations: [{ path: '/', custom_directives: { return: '200 hello' } }],
  }
  return `${given}
Try it: a first site, served by nginx within a second

  TOKEN=$(curl -s ${http}/v1/auth/login -H 'content-type: application/json' -d '{"email":"${email}","password":"${shown}"}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
  curl -s ${http}/v1/workspaces/${workspace}/virtual-hosts -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' -d '${JSON.stringify(site)}'
  curl -s --retry 5 --retry-connrefused http://localhost:${port}/
`
}

/** The first workspace, once its agent "local" is online or should have been. Nothing when the sign-in is refused, as after a change of password. */
async function findWorkspace(http, email, password) {
  const call = async (path, init) => (await fetch(`${http}/v1${path}`, init)).json()
  const login = await call('/auth/login', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password }),
  })
  if (!login.access_token) return undefined
  const headers = { authorization: `Bearer ${login.access_token}` }
  const organization = (await call('/organizations', { headers })).data?.[0]
  const workspace = organization && (await call(`/organizations/${organization.id}/workspaces`, { headers })).data?.[0]
  for (const deadline = Date.now() + JOIN_MS; workspace && Date.now() < deadline; await pause(100)) {
    const agents = await call(`/workspaces/${workspace.id}/agents`, { headers })
    if (agents.data?.some(({ name, state }) => name === 'local' && state === 'online')) return workspace.id
  }
  if (workspace) console.error('The local agent has not joined the master yet; agent.log says why.')
  return workspace?.id
}

await main(async (args) => {
  const watch = args.includes('--watch')
  const interrupted = untilInterrupted()
  await ensureDependencies()
  const node = await locateNode()
  const nginx = await ensureNginx()
  const dataDir = resolve(root, process.env.NXMESH_DATA_DIR || 'data')
  makeDataDir(dataDir)
  const http = process.env.NXMESH_HTTP || '127.0.0.1:8080'
  const agents = process.env.NXMESH_AGENTS || '127.0.0.1:8443'
  const agentDir = resolve(process.env.NXMESH_AGENT_DATA_DIR || join(dataDir, 'agent'))
  const release = holdDataDir(dataDir)
  try {
    await endLeftovers([dataDir, agentDir])
    await checkAddress(http, 'NXMESH_HTTP')
    await checkAddress(agents, 'NXMESH_AGENTS')
    return await runMesh({ node, nginx, watch, dataDir, agentDir, http, agents, interrupted })
  } finally {
    release()
  }
})
