import type { Standing } from '@nxmesh/api/access-table'
import { uuidv7 } from '@nxmesh/master/uuid'
import type { TokenRole } from '@nxmesh/model/roles'
import type { TestMaster } from '@nxmesh/testkit/master'
import { newPerson, type Roles } from '@nxmesh/testkit/people'
import { type Door, doorAt } from './door.ts'

/** Something that a path can name, and the word that stands in whatever shows it. */
export interface Thing {
  /** The parameter that names it. */
  parameter: string
  id: string
  mark: string
  /** Whether the id itself is no secret. */
  known?: true
}

/** Somebody who calls, and what they must not see. */
export interface Caller {
  name: string
  standing: Standing
  door: Door
  hidden: Thing[]
}

export interface Tenant {
  organization: Thing
  /** What belongs to the organization as a whole. */
  common: Thing[]
  /** What belongs to each of its two workspaces, these included. */
  workspaces: [Thing[], Thing[]]
  /** Whom the members of another tenant do not see. */
  users: Thing[]
  /** API tokens of other people than the callers. */
  tokens: Thing[]
  doors: Record<'owner' | 'admin' | 'member' | 'viewer' | 'operator' | 'workspace_admin', Door>
  apiToken(role: TokenRole, workspaceId: string | null): Promise<Door>
}

/** Makes an organization with two workspaces, everything in them, and somebody of each role. */
export async function newTenant({ master, base }: TestMaster, word: string): Promise<Tenant> {
  const { ctx } = master
  const slug = word.toLowerCase()
  const email = (who: string) => `${who}-${slug}@example.com`
  const thing = (parameter: string, id: string, mark: string): Thing => ({ parameter, id, mark })
  const founder = await newPerson(ctx, base, email('owner'))
  const owner = doorAt(base, founder.token)
  const made = async (path: string, body: object) => (await owner('POST', path, { body })).body
  const mark = `${word}ORG`
  const organizationId: string = (await made('/organizations', { name: mark, slug })).id

  async function workspace(number: number): Promise<Thing[]> {
    const own = `${word}WS${number}`
    const workspaceId: string = (await made(`/organizations/${organizationId}/workspaces`, { name: own, slug: `w${number}` })).id
    const at = `/workspaces/${workspaceId}`
    const upstream = await made(`${at}/upstreams`, { name: `${own}-upstream`, servers: [{ address: `${own.toLowerCase()}.internal:80` }] })
    const host = await made(`${at}/virtual-hosts`, { name: own, server_name: `${own.toLowerCase()}.example.com`, listen_port: 80 })
    const stream = await made(`${at}/stream-hosts`, { name: own, listen_port: 5432, upstream_id: upstream.id })
    const agent = await made(`${at}/agents/tokens`, { name: `${own}-agent` })
    const rule = await made(`${at}/alert-rules`, { name: own, condition: { kind: 'state', state: 'drift' } })
    // Names nothing that may be reached, so the test of it is over at once.
    const channel = await made(`${at}/notification-channels`, { kind: 'webhook', name: own, url: 'http://localhost:1/' })
    const delivery = await made(`/notification-channels/${channel.id}/test`, {})
    const certificate = await made(`${at}/certificates`, { domain: `${own.toLowerCase()}.example.com`, provider: 'self_signed' })
    const account = await made(`${at}/acme-accounts`, { name: own, directory_url: 'https://acme.example.com/directory' })
    const provider = await made(`${at}/dns-providers`, { kind: 'webhook', name: own, url: 'http://localhost:1/' })
    return [
      thing('certificate_id', certificate.id, own),
      thing('acme_account_id', account.id, own),
      thing('dns_provider_id', provider.id, own),
      thing('notification_channel_id', channel.id, own),
      thing('notification_delivery_id', delivery.id, own),
      thing('workspace_id', workspaceId, own),
      thing('upstream_id', upstream.id, own),
      thing('virtual_host_id', host.id, own),
      thing('stream_host_id', stream.id, own),
      thing('agent_id', agent.agent_id, own),
      thing('alert_rule_id', rule.id, own),
      thing('alert_id', await alertOf(workspaceId, agent.agent_id, own), own),
    ]
  }
  // None of a real agent: those come and go.
  async function alertOf(workspace_id: string, agent_id: string, name: string): Promise<string> {
    const at = new Date(ctx.now()).toISOString()
    const none = { rule_id: null, metric: null, value: null, threshold: null }
    const open = { acknowledged_at: null, acknowledged_by: null, resolved_at: null, resolved_by: null }
    const id = uuidv7(ctx.now())
    const row = { id, workspace_id, agent_id, source: 'agent:own', name, severity: 'info', message: name, active: 1 } as const
    await ctx.db
      .insertInto('alerts')
      .values({ ...row, ...none, ...open, opened_at: at, updated_at: at })
      .execute()
    return id
  }
  const workspaces: [Thing[], Thing[]] = [await workspace(1), await workspace(2)]
  const workspaceId = workspaces[0].find(({ parameter }) => parameter === 'workspace_id')!.id

  async function person(who: string, roles: Roles) {
    const { id, token } = await newPerson(ctx, base, email(who), roles)
    return { user: thing('user_id', id, email(who)), door: doorAt(base, token) }
  }
  const organization = (role: 'admin' | 'member' | 'owner') => ({ organization: { id: organizationId, role } })
  const inWorkspace = (role: 'viewer' | 'operator' | 'admin') => ({ ...organization('member'), workspace: { id: workspaceId, role } })
  const admin = await person('admin', organization('admin'))
  const member = await person('member', organization('member'))
  const viewer = await person('viewer', inWorkspace('viewer'))
  const operator = await person('operator', inWorkspace('operator'))
  const workspaceAdmin = await person('ws-admin', inWorkspace('admin'))
  // None of those who call, so that they do not come to be somebody else.
  const subject = await person('subject', inWorkspace('viewer'))
  const bystander = await person('bystander', organization('owner'))

  const invitation = await made(`/organizations/${organizationId}/invitations`, { email: `guest-${slug}@example.com` })
  const spare = await bystander.door('POST', '/tokens', { body: { name: mark, organization_id: organizationId, role: 'owner' } })

  return {
    organization: thing('organization_id', organizationId, mark),
    common: [thing('invitation_id', invitation.id, invitation.email)],
    workspaces,
    users: [
      subject.user,
      thing('user_id', founder.id, founder.email),
      admin.user,
      member.user,
      viewer.user,
      operator.user,
      workspaceAdmin.user,
    ],
    tokens: [thing('token_id', spare.body.id, spare.body.prefix)],
    doors: {
      owner,
      admin: admin.door,
      member: member.door,
      viewer: viewer.door,
      operator: operator.door,
      workspace_admin: workspaceAdmin.door,
    },
    async apiToken(role, workspace_id) {
      const { token } = await made('/tokens', { name: 'script', organization_id: organizationId, workspace_id, role })
      return doorAt(base, token)
    },
  }
}

/** Everybody who may try to see what they should not: people of all roles, their API tokens, and nobody. */
export async function callersOf(mine: Tenant, theirs: Tenant, nobody: Door): Promise<Caller[]> {
  const foreign = [theirs.organization, ...theirs.common, ...theirs.workspaces.flat(), ...theirs.users, ...theirs.tokens]
  const [first, second] = mine.workspaces
  const people = (Object.keys(mine.doors) as (keyof Tenant['doors'])[]).map((standing) => {
    const own = standing === 'member' ? [...first, ...second] : standing === 'owner' || standing === 'admin' ? [] : second
    return { name: standing, standing, door: mine.doors[standing], hidden: [...foreign, ...mine.tokens, ...own] }
  })
  const tokens: Caller[] = []
  for (const role of ['viewer', 'operator', 'admin', 'owner'] as const) {
    const whole = await mine.apiToken(role, null)
    const narrow = await mine.apiToken(role, first[0]!.id)
    tokens.push({ name: `token of the organization, ${role}`, standing: 'token', door: whole, hidden: [...foreign, ...mine.tokens] })
    // A workspace says which organization it belongs to.
    const outside = [{ ...mine.organization, known: true as const }, ...mine.common, ...second, ...mine.tokens]
    tokens.push({ name: `token of a workspace, ${role}`, standing: 'token', door: narrow, hidden: [...foreign, ...outside] })
  }
  return [...people, ...tokens, { name: 'nobody', standing: 'nobody', door: nobody, hidden: foreign }]
}
