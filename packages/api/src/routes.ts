import * as agents from './routes/agents.ts'
import * as audit from './routes/audit.ts'
import * as auth from './routes/auth.ts'
import * as organizations from './routes/organizations.ts'
import * as revisions from './routes/revisions.ts'
import * as upstreams from './routes/upstreams.ts'
import * as virtualHosts from './routes/virtual-hosts.ts'
import * as workspaces from './routes/workspaces.ts'

/** Every operation of the API, by name. */
export const routes = { ...auth, ...organizations, ...workspaces, ...agents, ...virtualHosts, ...upstreams, ...revisions, ...audit }

export type Routes = typeof routes
export type RouteName = keyof Routes
