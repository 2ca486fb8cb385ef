import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, get, type IncomingMessage, type RequestListener } from 'node:http'
import { join } from 'node:path'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import type { DesiredConfig, StatusReport } from '../src/ledger.ts'
import { stopNginx } from '../src/nginx.ts'
import type { NamesOrder } from './names-agent.ts'
import { answering, ask, type Bench, desired, distinctBinaries, host, mastersOf, openBench, optionsOf, until } from './testing.ts'

const program = join(import.meta.dirname, 'names-agent.ts')
const isRoot = process.getuid?.() === 0

interface NamedAgent extends AsyncDisposable {
  statuses: StatusReport[]
  offer(update: DesiredConfig): void
  kill(): Promise<void>
}

/** An agent, and the nginx that it starts, for whom names are what a file says. */
async function startAmong(bench: Bench, hosts: string, nginx: string): Promise<NamedAgent> {
  const command = 'mount --bind "$1" /etc/hosts && exec "$2" "$3" "$4"'
  const order: NamesOrder = { options: optionsOf(bench, { nginx }), namesEvery: 300 }
  const args = [hosts, process.execPath, program, JSON.stringify(order)]
  const child: ChildProcess = spawn('unshare', ['-m', 'sh', '-c', command, 'sh', ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  child.stderr!.resume()
  const statuses: StatusReport[] = []
  let text = ''
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (text + chunk).split('\n')
    text = lines.pop()!
    for (const line of lines) statuses.push(JSON.parse(line) as StatusReport)
  })
  await until('it has started', () => statuses.length > 0)
  statuses.length = 0
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'close')
  }
  return { statuses, offer: (update) => void child.stdin!.write(`${JSON.stringify(update)}\n`), kill, [Symbol.asyncDispose]: kill }
}

async function backend(address: string, port: number, answer: RequestListener): Promise<Disposable> {
  const server = createServer(answer).listen(port, address)
  await once(server, 'listening')
  return { [Symbol.dispose]: () => server.close().closeAllConnections() }
}

const upstream = (id: string, addresses: string[]): AgentConfig['upstreams'][number] => ({
  id,
  name: id,
  algorithm: 'round_robin',
  servers: addresses.map((address) => ({ address, weight: 1, backup: false, down: false, max_fails: 1, fail_timeout: 10 })),
  health_check: null,
  keepalive_connections: 0,
})

/** Where an answer sends its client. */
async function leadsTo(port: number, path: string, name: string): Promise<string | undefined> {
  const [response] = (await once(get({ host: '127.0.0.1', port, path, headers: { host: name }, agent: false }), 'response')) as [
    IncomingMessage,
  ]
  response.resume()
  return response.headers.location
}

const plain = { custom_headers: [], rewrite_rules: [], custom_directives: {} }

describe.runIf(isRoot).each(distinctBinaries())('names on nginx $label', ({ path }) => {
  test('hazard 67: a name that stands for nothing stops nobody, and its addresses are followed', { timeout: 90_000 }, async () => {
    await using bench = await openBench()
    const hosts = join(bench.directory, 'hosts')
    const [port, app] = [await freePort(), await freePort()]
    const reply =
      (text: string): RequestListener =>
      (request, response) => {
        if (request.url === '/to/away') response.writeHead(302, { location: `http://app.test:${app}/to/there` })
        response.end(`${text} ${request.headers.host} ${request.url}`)
      }
    using _one = await backend('127.0.0.2', app, reply('one'))
    using _two = await backend('127.0.0.3', app, reply('two'))
    await writeFile(hosts, '127.0.0.1 localhost\n')
    const config = {
      upstreams: [upstream('mixed', [`app.test:${app}`, '127.0.0.1:1']), upstream('gone', ['gone.test:1'])],
      virtual_hosts: [
        answering(port, 'ok', { server_name: 'ok.test' }),
        host(port, { server_name: 'mixed.test', locations: [{ ...plain, path: '/', upstream_id: 'mixed' }] }),
        host(port, { server_name: 'gone.test', locations: [{ ...plain, path: '/', upstream_id: 'gone' }] }),
        host(port, {
          server_name: 'proxied.test',
          locations: [
            {
              ...plain,
              path: '/from/',
              proxy_pass: `http://app.test:${app}/to/`,
              custom_headers: [{ name: 'Host', value: '$proxy_host', always: false }],
            },
          ],
        }),
      ],
    }
    const answers = async () => {
      const all = ['ok.test/', 'mixed.test/', 'gone.test/', 'proxied.test/from/x'].map(async (url) => {
        const [name, ...rest] = url.split('/')
        const text = await ask(port, `/${rest.join('/')}`, name)
        return /<title>(\d+)/.exec(text)?.[1] ?? text
      })
      return Promise.all(all)
    }
    {
      await using agent = await startAmong(bench, hosts, path)
      agent.offer(desired(1, config))
      const said = await until('the config is settled', () => agent.statuses.find(({ applied_at }) => applied_at > 0))
      expect(said.status, said.error_message).toBe('success')
      expect(said.findings.map(({ severity, name, field, message }) => [severity, name, field, message])).toEqual(
        expect.arrayContaining([
          ['warning', 'mixed', 'servers.0.address', expect.stringContaining('no address of "app.test" is known')],
          ['error', 'gone', 'servers', expect.stringContaining('502')],
          ['error', expect.any(String), 'locations.0.proxy_pass', expect.stringContaining('no address of "app.test" is known')],
        ]),
      )
      expect(await answers()).toEqual(['ok', '502', '502', '502'])

      await writeFile(hosts, '127.0.0.1 localhost\n127.0.0.2 app.test\n')
      const one = ['ok', 'one mixed.test /', '502', `one app.test:${app} /to/x`]
      await until('it is known', async () => JSON.stringify(await answers()) === JSON.stringify(one))
      await until(
        'that is told',
        () =>
          agent.statuses
            .at(-1)
            ?.findings.map(({ name }) => name)
            .join() === 'gone,gone',
      )
      await until('old workers are gone', async () => (await leadsTo(port, '/from/away', 'proxied.test'))?.endsWith('/from/there'))

      await writeFile(hosts, '127.0.0.1 localhost\n127.0.0.3 app.test\n')
      const two = ['ok', 'two mixed.test /', '502', `two app.test:${app} /to/x`]
      await until('it is followed', async () => JSON.stringify(await answers()) === JSON.stringify(two))
      await agent.kill()
    }
    // As after a night without power, with the name server still away.
    await writeFile(hosts, '127.0.0.1 localhost\n')
    for (const master of await mastersOf(bench.directory)) await stopNginx(master, { graceful: false, timeoutMs: 5000 })
    await using _agent = await startAmong(bench, hosts, path)
    const known = ['ok', 'two mixed.test /', '502', `two app.test:${app} /to/x`]
    await until('nginx serves what it knew', async () => JSON.stringify(await answers()) === JSON.stringify(known))
  })
})
