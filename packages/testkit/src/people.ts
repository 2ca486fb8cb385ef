import { type Client, createClient } from '@nxmesh/api/client'
import type { Ctx } from '@nxmesh/master/ctx'
import { hashPassword } from '@nxmesh/master/passwords'
import { uuidv7 } from '@nxmesh/master/uuid'
import { accessToken } from './master.ts'

export interface Person {
  id: string
  email: string
  password: string
  token: string
  client: Client
}

export interface Roles {
  organization?: { id: string; role: 'owner' | 'admin' | 'member' }
  workspace?: { id: string; role: 'admin' | 'operator' | 'viewer' }
}

/** Creates a user with these roles and signs in as that user. */
export async function newPerson(ctx: Ctx, base: string, email: string, { organization, workspace }: Roles = {}): Promise<Person> {
  const credentials = { email, password: `the password of ${email}` }
  const id = uuidv7(ctx.now())
  const created_at = new Date(ctx.now()).toISOString()
  const password_hash = await hashPassword(credentials.password)
  await ctx.db.insertInto('users').values({ id, email, name: email, password_hash, created_at, updated_at: created_at }).execute()
  if (organization) {
    const { id: organization_id, role } = organization
    await ctx.db.insertInto('organization_members').values({ organization_id, user_id: id, role, created_at }).execute()
  }
  if (workspace) {
    const { id: workspace_id, role } = workspace
    await ctx.db.insertInto('workspace_members').values({ workspace_id, user_id: id, role, created_at }).execute()
  }
  const token = await accessToken(base, credentials)
  return { ...credentials, id, token, client: createClient(base, () => token) }
}
