import { z } from 'zod'
import { organizationRole, workspaceRole } from './roles.ts'
import { id, name, timestamp } from './text.ts'
import { email, newPassword } from './user.ts'

const person = { user_id: id, email: z.string().meta({ format: 'email' }), name: z.string() }

export const organizationMemberChanges = z.strictObject({ role: organizationRole }).meta({ id: 'OrganizationMemberInput' })
export const newOrganizationMember = organizationMemberChanges.extend({ user_id: id }).meta({ id: 'NewOrganizationMember' })
export const organizationMember = z
  .strictObject({ ...person, role: organizationRole, created_at: timestamp })
  .meta({ id: 'OrganizationMember' })

export type OrganizationMember = z.infer<typeof organizationMember>

export const workspaceMemberChanges = z.strictObject({ role: workspaceRole }).meta({ id: 'WorkspaceMemberInput' })
export const newWorkspaceMember = workspaceMemberChanges.extend({ user_id: id }).meta({ id: 'NewWorkspaceMember' })
export const workspaceMember = z.strictObject({ ...person, role: workspaceRole, created_at: timestamp }).meta({ id: 'WorkspaceMember' })

export type WorkspaceMember = z.infer<typeof workspaceMember>

const workspaceGrant = z.strictObject({ workspace_id: id, role: workspaceRole })

export const invitationInput = z
  .strictObject({
    email,
    role: organizationRole.default('member'),
    workspaces: z.array(workspaceGrant).max(100, 'must be at most 100').default([]),
    expires_in_hours: z.int().min(1).max(720).default(168),
  })
  .meta({ id: 'InvitationInput' })

export type InvitationInput = z.infer<typeof invitationInput>

export const invitation = z
  .strictObject({
    id,
    organization_id: id,
    email: z.string().meta({ format: 'email' }),
    role: organizationRole,
    workspaces: z.array(workspaceGrant),
    invited_by: z.string().meta({ description: 'E-mail address of whoever made it.' }),
    created_at: timestamp,
    expires_at: timestamp,
  })
  .meta({ id: 'Invitation' })

export type Invitation = z.infer<typeof invitation>

export const createdInvitation = invitation
  .extend({ token: z.string().meta({ description: 'Shown only here; whoever holds it can accept the invitation.' }) })
  .meta({ id: 'CreatedInvitation' })

export const invitationAcceptance = z
  .strictObject({
    token: z.string().min(1, 'must not be empty').max(200, 'must be at most 200 characters'),
    name: name.optional().meta({ description: 'For a new account; leave it out when you are signed in.' }),
    password: newPassword.optional().meta({ description: 'For a new account; leave it out when you are signed in.' }),
  })
  .meta({ id: 'InvitationAcceptance' })

export type InvitationAcceptance = z.infer<typeof invitationAcceptance>
