import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startAgent } from '@nxmesh/agent/start'
import { routes } from '@nxmesh/api/routes'
import { readCertificate } from '@nxmesh/model/x509'
import { newChain } from '@nxmesh/testkit/certificates'
import { startMesh } from '@nxmesh/testkit/mesh'
import { type OpenStore, stores } from '@nxmesh/testkit/stores'
import { unindexed } from '@nxmesh/testkit/unindexed'
import { until } from '@nxmesh/testkit/until'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const day = 86_400_000

describe.each(stores)('on $name', (store) => {
  let opened: OpenStore
  beforeAll(async () => void (opened = await store.open()))
  afterAll(() => opened[Symbol.asyncDispose]())

  test('what ends on a host is listed with what is managed, as it is on the disk now', { timeout: 60_000 }, async () => {
    const logged: string[] = []
    const log = pino({ level: 'warn' }, { write: (line: string) => void logged.push(line) })
    await using mesh = await startMesh({ agents: 0, settings: await opened.settings(), overrides: { log } })
    const { client, workspaceId, directory } = mesh
    const params = { workspace_id: workspaceId }
    const host = join(directory, 'host')
    await mkdir(join(host, 'conf.d'), { recursive: true })
    const [old, next] = [await newChain({ names: ['shop.test'], notAfter: Date.now() + 5 * day }), await newChain({ names: ['shop.test'] })]
    const file = join(host, 'shop.pem')
    // Some keep both in one file.
    await writeFile(file, `${old.keyPem}\n${old.certPem}${old.intermediatePem}`)
    await writeFile(
      join(host, 'conf.d', 'a.conf'),
      'server { server_name shop.test; ssl_certificate shop.pem; ssl_certificate_key shop.key; }',
    )
    await writeFile(join(host, 'conf.d', 'b.conf'), 'server { ssl_certificate missing.pem; ssl_certificate /tls/$host.pem; }')
    await writeFile(join(host, 'nginx.conf'), 'events {}\nhttp { include conf.d/*.conf; include nginx.conf; }\n')

    const options = { mode: 'include' as const, nginxConf: join(host, 'nginx.conf') }
    const made = await mesh.newAgent('host', { options })
    await using _agent = await startAgent(made.options, { certificatesEvery: 200 })
    await client.call(routes.requestCertificate, { params, body: { domain: 'managed.test', provider: 'self_signed' } })
    const list = () => client.call(routes.listCertificateInventory, { params, query: {} })
    const listed = await until('the host’s certificates to be listed', async () => {
      const { data, meta } = await list()
      return data.length === 4 && meta.total === 4 && data
    })
    const facts = (pem: string) => {
      const { names, serial, fingerprint, not_after } = readCertificate(pem)!
      return { names, serial, fingerprint, not_after }
    }
    expect(listed).toMatchObject([
      { source: 'found', agent_id: made.id, path: file, server_names: ['shop.test'], error: null, ...facts(old.certPem) },
      { source: 'managed', names: ['managed.test'], path: null, agent_id: null },
      { source: 'found', path: expect.any(String), fingerprint: null, error: expect.stringMatching(/does not exist|variable/) },
      { source: 'found', path: expect.any(String), not_after: null, error: expect.stringMatching(/does not exist|variable/) },
    ])

    // An agent tells a list once, so a master that could not write it must do so later.
    const { db } = mesh.master.ctx
    await sql`alter table found_certificates rename to away`.execute(db)
    await writeFile(file, next.certPem)
    await until('a write that fails', () => logged.some((line) => line.includes('were not written')))
    await sql`alter table away rename to found_certificates`.execute(db)
    await until('the new one', async () => (await list()).data.some((entry) => entry.fingerprint === facts(next.certPem).fingerprint))
    await rm(file)
    await until('its absence', async () => (await list()).data.some(({ path, error }) => path === file && error === 'it does not exist'))
    expect((await client.call(routes.listCertificateInventory, { params, query: { page: '2', per_page: '3' } })).data).toHaveLength(1)
    const found = await unindexed(mesh.master.ctx.db, mesh.queries)
    expect(found.filter((text) => text.includes('certificates'))).toEqual([])
    await client.call(routes.deleteAgent, { params: { agent_id: made.id } })
    expect((await list()).data).toMatchObject([{ source: 'managed' }])
  })
})
