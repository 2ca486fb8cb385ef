import * as accessLogs from './routes/access-logs.ts'
import * as acmeAccounts from './routes/acme-accounts.ts'
import * as agents from './routes/agents.ts'
import * as alertRules from './routes/alert-rules.ts'
import * as alerts from './routes/alerts.ts'
import * as apiTokens from './routes/api-tokens.ts'
import * as audit from './routes/audit.ts'
import * as auth from './routes/auth.ts'
import * as certificates from './routes/certificates.ts'
import * as dnsProviders from './routes/dns-providers.ts'
import * as explain from './routes/explain.ts'
import * as findings from './routes/findings.ts'
import * as imports from './routes/import.ts'
import * as invitations from './routes/invitations.ts'
import * as members from './routes/members.ts'
import * as metrics from './routes/metrics.ts'
import * as notifications from './routes/notifications.ts'
import * as organizations from './routes/organizations.ts'
import * as revisions from './routes/revisions.ts'
import * as streamHosts from './routes/stream-hosts.ts'
import * as upstreams from './routes/upstreams.ts'
import * as users from './routes/users.ts'
import * as virtualHosts from './routes/virtual-hosts.ts'
import * as workspaces from './routes/workspaces.ts'

/** Every operation of the API, by name. */
export const routes = {
  ...auth,
  ...users,
  ...apiTokens,
  ...organizations,
  ...members,
  ...invitations,
  ...workspaces,
  ...agents,
  ...metrics,
  ...accessLogs,
  ...alertRules,
  ...alerts,
  ...virtualHosts,
  ...streamHosts,
  ...upstreams,
  ...certificates,
  ...acmeAccounts,
  ...notifications,
  ...dnsProviders,
  ...findings,
  ...revisions,
  ...explain,
  ...imports,
  ...audit,
}

export type Routes = typeof routes
export type RouteName = keyof Routes
