import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { routes } from '@nxmesh/api/routes'
import type { Certificate, CertificateInput } from '@nxmesh/model/certificate'
import { type Authority, startAuthority } from '@nxmesh/testkit/acme-authority/authority'
import { startFleet } from '@nxmesh/testkit/fleet'
import { signIn, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import type { Store } from '@nxmesh/testkit/stores'
import { until } from '@nxmesh/testkit/until'
import type { CertificateRow } from '../../src/db/schema-certificates.ts'
import type { Overrides } from '../../src/start.ts'

/** A master with an agent that answers every challenge, and a CA that shares its clock. */
export interface Renewing extends AsyncDisposable, TestMaster {
  authority: Authority
  now(): number
  /** Moves the clock of both to a time, in milliseconds since the epoch. */
  setClock(time: number): void
  request(domain: string, more?: Partial<CertificateInput>): Promise<Certificate>
  show(id: string): Promise<Certificate>
  /** The certificate once it is so; the master looks at what is due each time. */
  once(what: string, id: string, isSo: (shown: Certificate, row: CertificateRow) => boolean): Promise<Certificate>
  row(id: string): Promise<CertificateRow>
}

export async function startRenewing(store: Store, overrides: Overrides = {}): Promise<Renewing> {
  await using stack = new AsyncDisposableStack()
  let offset = 0
  const now = () => Date.now() + offset
  const authority = stack.use(await startAuthority({ now }))
  const directory = stack.use(await scratch()).path
  const ca = join(directory, 'authority.pem')
  await writeFile(ca, authority.caPem)
  const settings = await stack.use(await store.open()).settings()
  const acme = ['--acme-directory', authority.directoryUrl, '--acme-ca-file', ca, '--heartbeat-interval', '1']
  const test = stack.use(await startTestMaster(join(directory, 'master'), [...settings, ...acme], { now, ...overrides }))
  const { client, master, base, workspaceId } = test
  const params = { workspace_id: workspaceId }
  const token = await client.call(routes.createAgentToken, { params, body: { name: 'agent' } })
  const caPem = await readFile(join(directory, 'master', 'ca.pem'), 'utf8')
  stack.use(await startFleet({ port: master.agents.port, caPem, tokens: [token] }))
  await client.call(routes.createVirtualHost, { params, body: { name: 'any', server_name: 'any.test', listen_port: 80 } })
  // Sign-ins of today have ended when the clock is moved on.
  const show = async (id: string) => (await signIn(base)).call(routes.getCertificate, { params: { certificate_id: id } })
  const row = (id: string) => master.ctx.db.selectFrom('certificates').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  const kept = stack.move()
  return {
    ...test,
    authority,
    now,
    setClock(time) {
      offset = time - Date.now()
    },
    show,
    async request(domain, more = {}) {
      const body = { domain, provider: 'letsencrypt' as const, ...more }
      return (await signIn(base)).call(routes.requestCertificate, { params, body })
    },
    once: (what, id, isSo) =>
      until(what, async () => {
        master.ctx.wake('certificates')
        const before = await row(id)
        const shown = await show(id)
        // What is shown and what is in the database must be of one moment.
        return isDeepStrictEqual(await row(id), before) && isSo(shown, before) && shown
      }),
    row,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}
