import { type Client, createClient } from '@nxmesh/api/client'
import { routes } from '@nxmesh/api/routes'
import { type Config, readConfig } from '@nxmesh/master/config'
import { type Master, type Overrides, startMaster } from '@nxmesh/master/start'
import type { LogEvent } from 'kysely'
import { pino } from 'pino'
import { note, type Queries } from './unindexed.ts'

export const administrator = { email: 'admin@nxmesh.local', password: 'correct horse battery staple' }

/** Tests ask for things until they are so, and a fuzzer signs in wrongly: what limits them is tested by itself. */
export const unlimited = ['--rate-limit', '0', '--sign-in-failures', '0']

/** Nothing answers there, so that a test asks nobody about names unless it says whom. */
const noResolver = ['--dns-resolvers', '127.0.0.1:1']

export interface TestMaster extends AsyncDisposable {
  master: Master
  base: string
  /** A client signed in as the administrator. */
  client: Client
  organizationId: string
  workspaceId: string
  /** What it has asked its database so far, for `unindexed`. */
  queries: Queries
}

/** Starts a real master on free ports with its data in `directory`, and signs the administrator in. */
export async function startTestMaster(directory: string, settings: string[] = [], overrides: Overrides = {}): Promise<TestMaster> {
  const queries: Queries = new Map()
  const onQuery = (event: LogEvent) => note(queries, event)
  const master = await startMaster(masterConfig(directory, settings), { log: pino({ level: 'silent' }), onQuery, ...overrides })
  const base = `http://127.0.0.1:${master.http.port}`
  const client = await signIn(base)
  const organizations = await client.call(routes.listOrganizations, {})
  const organizationId = organizations.data[0]!.id
  const workspaces = await client.call(routes.listWorkspaces, { params: { organization_id: organizationId } })
  return {
    master,
    base,
    client,
    organizationId,
    queries,
    workspaceId: workspaces.data[0]!.id,
    [Symbol.asyncDispose]: () => master[Symbol.asyncDispose](),
  }
}

/** A client of the master at `base`, signed in. */
export async function signIn(base: string, credentials = administrator): Promise<Client> {
  const token = await accessToken(base, credentials)
  return createClient(base, () => token)
}

/** An access token of the master at `base`. */
export async function accessToken(base: string, credentials = administrator): Promise<string> {
  return (await createClient(base, () => undefined).call(routes.login, { body: credentials })).access_token
}

function masterConfig(directory: string, settings: string[]): Config {
  const args = ['--data-dir', directory, '--http', '127.0.0.1:0', '--agents', '127.0.0.1:0', ...unlimited, ...noResolver, ...settings]
  const asked = readConfig(args, { NXMESH_ADMIN_EMAIL: administrator.email, NXMESH_ADMIN_PASSWORD: administrator.password })
  if (asked.kind !== 'run') throw new Error(`the settings of the master were not taken: ${JSON.stringify(asked)}`)
  return asked.config
}
