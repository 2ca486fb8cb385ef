import { createdInvitation, invitation, invitationAcceptance, invitationInput } from '@nxmesh/model/member'
import { me } from '@nxmesh/model/user'
import { ids, pageOf, paging, route } from '../route.ts'

export const listInvitations = route({
  id: 'invitation.list',
  method: 'GET',
  path: '/organizations/{organization_id}/invitations',
  summary: 'List the invitations to an organization that nobody has accepted yet',
  access: { on: 'organization', need: 'admin' },
  params: ids('organization_id'),
  query: paging,
  response: pageOf(invitation),
})

export const createInvitation = route({
  id: 'invitation.create',
  method: 'POST',
  path: '/organizations/{organization_id}/invitations',
  summary: 'Invite somebody to an organization; the token is shown once, to be handed to them',
  access: { on: 'organization', need: 'admin', by: 'person' },
  params: ids('organization_id'),
  body: invitationInput,
  response: createdInvitation,
  status: 201,
})

export const revokeInvitation = route({
  id: 'invitation.revoke',
  method: 'DELETE',
  path: '/organizations/{organization_id}/invitations/{invitation_id}',
  summary: 'Revoke an invitation',
  access: { on: 'organization', need: 'admin' },
  params: ids('organization_id', 'invitation_id'),
})

export const acceptInvitation = route({
  id: 'invitation.accept',
  method: 'POST',
  path: '/auth/invitations/accept',
  summary: 'Accept an invitation: with a name and a password for a new account, or as the user who is signed in',
  access: { on: 'anybody' },
  body: invitationAcceptance,
  response: me,
  errors: ['UNAUTHORIZED', 'FORBIDDEN', 'CONFLICT'],
})
