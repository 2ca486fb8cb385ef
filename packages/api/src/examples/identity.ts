import type { Examples } from './example.ts'

const user = {
  id: '110e8400-e29b-41d4-a716-446655440010',
  email: 'ada@example.com',
  name: 'Ada Lovelace',
  created_at: '2026-01-15T10:30:00Z',
  updated_at: '2026-01-15T10:30:00Z',
}
const organization_id = '550e8400-e29b-41d4-a716-446655440000'
const workspace_id = '660e8400-e29b-41d4-a716-446655440001'
const member = { user_id: user.id, email: user.email, name: user.name, created_at: user.created_at }
const once = { one_time_password: 'pN3v0e4kqkQ2y9s1Zf8a', one_time_password_expires_at: '2026-01-18T10:30:00Z' }
const invitation = {
  id: '220e8400-e29b-41d4-a716-446655440011',
  organization_id,
  email: 'grace@example.com',
  role: 'member' as const,
  workspaces: [{ workspace_id, role: 'operator' as const }],
  invited_by: user.email,
  created_at: '2026-01-15T10:30:00Z',
  expires_at: '2026-01-22T10:30:00Z',
}
const apiToken = {
  id: '330e8400-e29b-41d4-a716-446655440012',
  name: 'deployments',
  organization_id,
  workspace_id,
  role: 'operator' as const,
  prefix: 'nxm_4fT9xQ2b',
  created_at: '2026-01-15T10:30:00Z',
  expires_at: '2026-04-15T10:30:00Z',
  last_used_at: '2026-01-16T08:00:00Z',
}
const me = {
  user,
  must_change_password: false,
  token: null,
  memberships: [
    {
      organization: { id: organization_id, name: 'Acme Corp', slug: 'acme-corp' },
      role: 'member',
      workspaces: [{ id: workspace_id, name: 'Production', slug: 'production', role: 'operator' }],
    },
  ],
}

/** Examples of users, members, invitations and API tokens. */
export const identity = {
  logout: { body: { refresh_token: 'dGhpcyBpcyBhIHJlZnJlc2ggdG9rZW4...' } },
  getMe: { response: me },
  changePassword: { body: { current_password: 'secure_password', new_password: 'correct horse battery staple' } },
  openSession: { body: { email: user.email, password: 'secure_password' }, response: me },
  listUsers: { response: { data: [user], meta: { page: 1, per_page: 20, total: 1 } } },
  createUser: { body: { email: user.email, name: user.name, organization_id, role: 'member' }, response: { ...user, ...once } },
  updateUser: { body: { name: 'Ada King' } },
  resetPassword: { response: once },
  listApiTokens: { response: { data: [apiToken], meta: { page: 1, per_page: 20, total: 1 } } },
  createApiToken: {
    body: { name: 'deployments', organization_id, workspace_id, role: 'operator', expires_in_days: 90 },
    response: { ...apiToken, last_used_at: null, token: 'nxm_4fT9xQ2bV7cJ1mRk8sYw3LzP5dHn6GaTqE0uXvBiCoZjNl' },
  },
  listOrganizationMembers: { response: { data: [{ ...member, role: 'member' }], meta: { page: 1, per_page: 20, total: 1 } } },
  addOrganizationMember: { body: { user_id: user.id, role: 'member' } },
  updateOrganizationMember: { body: { role: 'admin' } },
  listWorkspaceMembers: { response: { data: [{ ...member, role: 'operator' }], meta: { page: 1, per_page: 20, total: 1 } } },
  addWorkspaceMember: { body: { user_id: user.id, role: 'operator' } },
  updateWorkspaceMember: { body: { role: 'viewer' } },
  listInvitations: { response: { data: [invitation], meta: { page: 1, per_page: 20, total: 1 } } },
  createInvitation: {
    body: { email: invitation.email, role: 'member', workspaces: invitation.workspaces, expires_in_hours: 168 },
    response: { ...invitation, token: 'nxmesh_invitation_cZ1Q7e0b3o9' },
  },
  acceptInvitation: {
    body: { token: 'nxmesh_invitation_cZ1Q7e0b3o9', name: 'Grace Hopper', password: 'correct horse battery staple' },
    response: me,
  },
} satisfies Examples
