import { createdUser, newUser, passwordReset, user, userChanges } from '@nxmesh/model/user'
import { type Patch, patchOf } from '../merge-patch.ts'
import { ids, pageOf, paging, route } from '../route.ts'

export const listUsers = route({
  id: 'user.list',
  method: 'GET',
  path: '/users',
  summary: 'List yourself and the members of organizations that you administer',
  access: { on: 'user' },
  query: paging,
  response: pageOf(user),
})

export const createUser = route({
  id: 'user.create',
  method: 'POST',
  path: '/users',
  summary: 'Create a user in an organization that you administer, with a one-time password',
  access: { on: 'user', by: 'person' },
  body: newUser,
  response: createdUser,
  status: 201,
  errors: ['FORBIDDEN'],
})

export const getUser = route({
  id: 'user.get',
  method: 'GET',
  path: '/users/{user_id}',
  summary: 'Get a user',
  access: { on: 'account', need: 'see' },
  params: ids('user_id'),
  response: user,
})

export const updateUser = route({
  id: 'user.update',
  method: 'PATCH',
  path: '/users/{user_id}',
  summary: 'Change the name or e-mail address of a user',
  access: { on: 'account', need: 'change', by: 'person' },
  params: ids('user_id'),
  body: patchOf(userChanges),
  response: user,
})

export const deleteUser = route({
  id: 'user.delete',
  method: 'DELETE',
  path: '/users/{user_id}',
  summary: 'Delete a user, their sessions and their API tokens',
  access: { on: 'account', need: 'change', by: 'person' },
  params: ids('user_id'),
})

export const resetPassword = route({
  id: 'user.reset-password',
  method: 'POST',
  path: '/users/{user_id}/password',
  summary: 'Give another user a one-time password and end their sessions',
  access: { on: 'account', need: 'change', by: 'person' },
  params: ids('user_id'),
  response: passwordReset,
})

export type UserPatch = Patch<{ email: string; name: string }>
