import { isOrganizationRole, isWorkspaceRole, type OrganizationRole, type WorkspaceRole } from '@nxmesh/model/roles'
import type { Access, Route } from './route.ts'
import { routes } from './routes.ts'

/** What somebody may be with respect to the thing that a path names. */
export const standings = {
  nobody: 'not signed in',
  outsider: 'of another organization',
  member: 'member',
  admin: 'admin',
  owner: 'owner',
  viewer: 'viewer',
  operator: 'operator',
  workspace_admin: 'admin',
  token: 'API token',
} as const

export type Standing = keyof typeof standings

/**
 * What comes of a request: it is let through, also only for oneself or only up to the limit of the API token; or it is refused
 * with the status that is said.
 */
export type Verdict = 'yes' | 'self' | 'limited' | 401 | 403 | 404

const inOrganization: Partial<Record<Standing, OrganizationRole>> = { member: 'member', admin: 'admin', owner: 'owner' }
// Whoever has a role in a workspace is a member of its organization.
const inWorkspace: Partial<Record<Standing, WorkspaceRole>> = { viewer: 'viewer', operator: 'operator', workspace_admin: 'admin' }

/** What the rules say of a request by somebody who stands so to what it names. */
export function verdict(access: Access, standing: Standing): Verdict {
  const { on, by } = access
  if (on === 'none' || on === 'anybody') return 'yes'
  if (standing === 'nobody') return 401
  if (standing === 'token') return by === 'person' ? 403 : 'limited'
  const inIt = inOrganization[standing] ?? (inWorkspace[standing] && 'member')
  switch (on) {
    case 'user':
    case 'self':
      return 'yes'
    case 'api_token':
      return 'self'
    case 'account':
      return inIt && isOrganizationRole(inIt, 'admin') ? 'yes' : 'self'
    case 'organization':
      if (!inIt) return 404
      return isOrganizationRole(inIt, access.need) ? 'yes' : access.self ? 'self' : 403
    case 'workspace':
    case 'agent':
    case 'virtual_host':
    case 'stream_host':
    case 'upstream':
    case 'certificate':
    case 'acme_account':
    case 'alert_rule':
    case 'alert':
    case 'notification_channel':
    case 'notification_delivery':
    case 'dns_provider': {
      const role = inIt && isOrganizationRole(inIt, 'admin') ? 'admin' : inWorkspace[standing]
      if (!role) return 404
      return isWorkspaceRole(role, access.need) ? 'yes' : access.self ? 'self' : 403
    }
    default:
      return on satisfies never
  }
}

/** The table of routes and who may call them, as Markdown. */
export function accessTable(): string {
  const columns = Object.keys(standings) as Standing[]
  const rows = (Object.values(routes) as Route[])
    .toSorted((a, b) => compare(a.path, b.path) || compare(a.method, b.method))
    .map(({ method, path, access }) => [`\`${method} ${path}\``, ...columns.map((standing) => String(verdict(access, standing)))])
  const titles = ['', ...columns.map((standing) => standings[standing])]
  const groups = ['', '', '', 'organization', '', '', 'workspace', '', '', '']
  return [groups, titles.map((title) => (title === '' ? '**route**' : `**${title}**`)), ...rows]
    .flatMap((row, index) => [line(row), ...(index === 0 ? [line(row.map(() => '---'))] : [])])
    .join('\n')
}

/** The text of `docs/access.md` with the table of today in it. */
export function withAccessTable(text: string): string {
  const [before, after] = text.split(/(?<=<!-- routes -->\n)[^]*(?=<!-- end of routes -->)/)
  if (before === undefined || after === undefined) throw new Error('the places for the table are missing')
  return `${before}\n${accessTable()}\n\n${after}`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function line(cells: string[]): string {
  return `| ${cells.join(' | ')} |`
}
