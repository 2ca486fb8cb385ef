import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib'
import { startAgent } from '@nxmesh/agent/start'
import { routes } from '@nxmesh/api/routes'
import { get } from '@nxmesh/testkit/get'
import { type Mesh, startMesh } from '@nxmesh/testkit/mesh'
import { runs } from '@nxmesh/testkit/nginx'
import { freePort } from '@nxmesh/testkit/ports'
import { until } from '@nxmesh/testkit/until'
import { describe, expect, test } from 'vitest'

const nginx = '/usr/sbin/nginx'
const module = '/usr/lib/nginx/modules/ngx_http_brotli_filter_module.so'
const staticModule = '/usr/lib/nginx/modules/ngx_http_brotli_static_module.so'
const missing = existsSync(module) ? '' : ' (skipped: libnginx-mod-http-brotli-filter is not installed)'
const page = 'brotli makes this shorter '.repeat(100)

async function newSite({ client, workspaceId }: Mesh, listen_port: number): Promise<void> {
  const custom_directives = { default_type: 'text/plain', return: `200 "${page}"` }
  const locations = [{ path: '/', custom_directives }]
  const body = { name: 'site', server_name: 'site.test', listen_port, brotli: { types: ['text/plain'] }, locations }
  await client.call(routes.createVirtualHost, { params: { workspace_id: workspaceId }, body })
}

/** What nginx sends of the page to a client that takes brotli. */
function compressed(port: number): Promise<{ encoding: string | undefined; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'site.test', 'accept-encoding': 'br' }
    const asked = request({ port, host: '127.0.0.1', agent: false, headers, timeout: 10_000 }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ encoding: response.headers['content-encoding'], body: Buffer.concat(chunks) }))
      response.on('error', reject)
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer within 10 s')))
    asked.on('error', reject)
    asked.end()
  })
}

describe.skipIf(missing !== '')(`dynamic modules of Debian's nginx${missing}`, () => {
  test('brotli is loaded where nginx is ours, and the master shows the line that does so', { timeout: 90_000 }, async () => {
    await using mesh = await startMesh({ agents: 0 })
    const { id } = await mesh.addAgent('owned', { nginx })
    const port = await freePort()
    await newSite(mesh, port)
    expect((await mesh.settled(id)).config.findings).toEqual([])
    const { encoding, body } = await compressed(port)
    expect(encoding).toBe('br')
    expect(body.length).toBeLessThan(page.length / 10)
    expect(brotliDecompressSync(body).toString()).toBe(page)
    expect((await get(port, 'site.test')).body).toBe(page)
    const shown = await until('the agent to say that it has these files', async () => {
      const files = await mesh.client.call(routes.getAgentConfig, { params: { agent_id: id } })
      return files.applied?.matches_agent === true && files
    })
    expect(shown.nginx).toMatchObject({ mode: 'owned', modules: { brotli: [module] } })
    const main = shown.applied!.files!.find(({ path }) => path === 'nginx.conf')!.content!
    expect(main.match(/^load_module .*$/gm)).toEqual([`load_module ${module};`])
  })

  const isStatic = existsSync(staticModule)
  test.runIf(isStatic)('brotli_static among the custom directives is loaded likewise', { timeout: 90_000 }, async () => {
    await using mesh = await startMesh({ agents: 0 })
    const { id } = await mesh.addAgent('owned', { nginx })
    // The workers run as another user than this test.
    const folder = await mkdtemp(join(tmpdir(), 'nxmesh-brotli-'))
    await using _folder = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
    await chmod(folder, 0o755)
    await writeFile(join(folder, 'page.txt'), 'plain')
    await writeFile(join(folder, 'page.txt.br'), brotliCompressSync(page))
    const port = await freePort()
    const custom_directives = { brotli_static: 'on', root: folder, try_files: '/page.txt =404' }
    const body = { name: 'site', server_name: 'site.test', listen_port: port, locations: [{ path: '/', custom_directives }] }
    await mesh.client.call(routes.createVirtualHost, { params: { workspace_id: mesh.workspaceId }, body })
    expect((await mesh.settled(id)).config.findings).toEqual([])
    const sent = await compressed(port)
    expect([sent.encoding, brotliDecompressSync(sent.body).toString()]).toEqual(['br', page])
    expect((await get(port, 'site.test')).body).toBe('plain')
  })

  test('a directive of another module brings that along, and what is imported with it is served', { timeout: 90_000 }, async () => {
    await using mesh = await startMesh({ agents: 0 })
    const { id } = await mesh.addAgent('owned', { nginx })
    const port = await freePort()
    const server = `more_set_headers "X-More: yes"; more_clear_headers Server; location / { default_type text/plain; return 200 more; }`
    const text = `load_module modules/ngx_http_headers_more_filter_module.so; events {}
      http { server { listen ${port}; server_name more.test; ${server} } }`
    const report = await mesh.client.call(routes.importWorkspace, {
      params: { workspace_id: mesh.workspaceId },
      body: { files: { 'nginx.conf': text }, main: 'nginx.conf' },
    })
    expect(report.lines.filter(({ outcome }) => outcome === 'left_out')).toEqual([])
    expect((await mesh.settled(id)).config.findings).toEqual([])
    const answer = await until('it to be served', () => get(port, 'more.test').catch(() => undefined))
    expect([answer.body, answer.headers['x-more'], answer.headers['server']]).toEqual(['more', 'yes', undefined])
  })

  test.each([true, false])('where the nginx.conf is the host’s it is as that says: loads it %s', { timeout: 90_000 }, async (loads) => {
    await using stack = new AsyncDisposableStack()
    const mesh = stack.use(await startMesh({ agents: 0 }))
    const [conf, pidFile] = [join(mesh.directory, 'nginx.conf'), join(mesh.directory, 'host.pid')]
    const made = await mesh.newAgent('include', { nginx, options: { mode: 'include', nginxConf: conf } })
    const port = await freePort()
    const enabled = join(mesh.directory, 'modules-enabled')
    await mkdir(enabled)
    if (loads) await writeFile(join(enabled, '50-brotli.conf'), `load_module ${module};\n`)
    const hostConf = (line: string) => `include ${enabled}/*.conf;
pid ${pidFile}; error_log ${pidFile}.log;
events {}
http { access_log off; types { text/plain txt; } ${line} }
`
    await writeFile(conf, hostConf(''))
    await promisify(execFile)(nginx, ['-c', conf])
    const pid = await until('the host’s nginx to run', async () => Number(await readFile(pidFile, 'utf8').catch(() => '0')))
    stack.defer(async () => {
      process.kill(pid, 'SIGTERM')
      await until('the host’s nginx to end', async () => !(await runs(pid)))
    })
    await newSite(mesh, port)
    stack.use(await startAgent(made.options))
    await until('the agent to be degraded', async () => (await mesh.show(made.id)).state === 'degraded')
    await writeFile(conf, hostConf(`include ${join(made.dataDir, 'current', 'http.conf')};`))
    const { config } = await mesh.settled(made.id)
    const { encoding, body } = await compressed(port)
    if (loads) expect([encoding, config.findings]).toEqual(['br', []])
    else {
      expect([encoding, body.toString()]).toEqual([undefined, page])
      expect(config.findings).toMatchObject([{ severity: 'warning', field: 'brotli' }])
      // Whoever looks after the host then adds it.
      await writeFile(join(enabled, '50-brotli.conf'), `load_module ${module};\n`)
      const reload = () => mesh.client.call(routes.reloadAgent, { params: { agent_id: made.id } })
      await until('the agent to reload', async () => (await reload()).success)
      await until('it to be used', async () => (await compressed(port)).encoding === 'br')
      await until('that to be told', async () => (await mesh.show(made.id)).config.findings.length === 0)
    }
  })
})
