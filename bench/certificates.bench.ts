import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { routes } from '@nxmesh/api/routes'
import { newAccountKey } from '@nxmesh/master/certificates/acme/account-key'
import { openAcmeClient } from '@nxmesh/master/certificates/acme/client'
import { openOutbound } from '@nxmesh/master/outbound/outbound'
import { scratch } from '@nxmesh/testkit/scratch'
import { fill } from './certificate-fill.ts'
import { good, type Ordered, order } from './certificate-order.ts'
import { verdict } from './figures.ts'
import { processorMilliseconds, residentMegabytes, runMaster } from './programs.ts'

// A master renews a thousand certificates that are all due, each of a TLS host of one agent; beside it the ACME client alone.
const count = Number(process.env['NXMESH_BENCH_CERTIFICATES'] ?? 1000)
const atOnce = 20
const day = 86_400_000
const daysBehind = 70

interface Counts {
  issued: number
  requests: number
  connections: number
}

await using directory = await scratch()
await using stack = new AsyncDisposableStack()
const authority = fork(new URL('authority-process.ts', import.meta.url), { env: { ...process.env, DAYS_BEHIND: String(daysBehind) } })
stack.defer(() => void authority.kill())
const [{ directoryUrl, caPem }] = (await heard(authority)) as [{ directoryUrl: string; caPem: string }]
const past = () => Date.now() - daysBehind * day
const client = openAcmeClient({ directoryUrl, outbound: openOutbound(['127.0.0.1']), ca: caPem, now: past })
const account = good(await client.register(newAccountKey(), { email: null, eab: null }))

console.log(`${count} certificates of one name each, ${atOnce} at once`)
const ordered: Ordered[] = []
const domains = Array.from({ length: count }, (_, index) => `host-${index}.test`)
const alone = await measured(
  async () => {
    const waiting = [...domains]
    const orderAll = async () => {
      for (let domain = waiting.pop(); domain; domain = waiting.pop()) ordered.push(await order(client, account, domain))
    }
    await Promise.all(Array.from({ length: atOnce }, orderAll))
  },
  async () => process.cpuUsage().user / 1000 + process.cpuUsage().system / 1000,
)
show('the ACME client alone', alone)

const ca = join(directory.path, 'authority.pem')
await writeFile(ca, caPem)
const settings = ['--acme-directory', directoryUrl, '--acme-ca-file', ca, '--dns-resolvers', '127.0.0.1:1']
const data = join(directory.path, 'master')
await fill({ data, settings, now: past, account, ordered })
await counts({ present: true })
const began = Date.now()
await using master = await runMaster(data, settings)
const params = { workspace_id: master.workspaceId }
const token = await master.client.call(routes.createAgentToken, { params, body: { name: 'agent' } })
const renewed = await measured(
  async () => {
    const fleet = fork(new URL('fleet-process.ts', import.meta.url))
    stack.defer(() => void fleet.kill())
    fleet.send({ port: master.agentsPort, caPem: await readFile(join(data, 'ca.pem'), 'utf8'), tokens: [token] })
    await heard(fleet)
    while ((await counts()).issued < 2 * count) await delay(500)
    while ((await installed()) < count) await delay(500)
  },
  () => processorMilliseconds(master.pid),
)
show('the master', renewed)
verdict('processor beside the client alone', renewed.processor / alone.processor, 3, '×')
console.log(`  memory of the master: ${(await residentMegabytes(master.pid)).toFixed(0)} MB`)

async function heard(child: ChildProcess): Promise<unknown[]> {
  const ended = new AbortController()
  const end = () => ended.abort()
  child.once('exit', end)
  return once(child, 'message', { signal: ended.signal }).finally(() => child.off('exit', end))
}

async function installed(): Promise<number> {
  let found = 0
  for (let page = 1; page <= Math.ceil(count / 100); page++) {
    const { data: shown } = await master.client.call(routes.listCertificates, { params, query: { page: String(page), per_page: '100' } })
    found += shown.filter(({ issued_at }) => Date.parse(issued_at!) >= began).length
  }
  return found
}

async function measured(work: () => Promise<void>, processor: () => Promise<number>) {
  const [before, from, cpu] = [await counts(), performance.now(), await processor()]
  await work()
  const [took, used, after] = [performance.now() - from, (await processor()) - cpu, await counts()]
  const each = (total: number) => total / count
  return {
    seconds: took / 1000,
    processor: each(used),
    requests: each(after.requests - before.requests),
    connections: each(after.connections - before.connections),
  }
}

function show(who: string, { seconds, processor, requests, connections }: Awaited<ReturnType<typeof measured>>): void {
  console.log(
    `  ${who}: ${seconds.toFixed(1)} s, for each certificate ${((seconds / count) * 1000).toFixed(0)} ms, processor ${processor.toFixed(1)} ms, ${requests.toFixed(1)} requests, ${connections.toFixed(2)} connections`,
  )
}

async function counts(message: { present?: true } = {}): Promise<Counts> {
  const answered = heard(authority) as Promise<[Counts]>
  authority.send(message)
  return (await answered)[0]
}
