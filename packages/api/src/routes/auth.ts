import { me, newPassword } from '@nxmesh/model/user'
import { z } from 'zod'
import { route } from '../route.ts'

const credentials = z.strictObject({ email: z.string().min(1).max(320), password: z.string().min(1).max(1024) }).meta({ id: 'Credentials' })
const password = z.string().min(1, 'must not be empty').max(1024, 'must have at most 1024 characters')

const tokens = z
  .strictObject({
    access_token: z.string(),
    refresh_token: z.string(),
    expires_in: z.int(),
    token_type: z.literal('Bearer'),
  })
  .meta({ id: 'Tokens' })

export type Tokens = z.infer<typeof tokens>

export const login = route({
  id: 'auth.login',
  method: 'POST',
  path: '/auth/login',
  summary: 'Sign in with e-mail address and password',
  access: { on: 'none' },
  body: credentials,
  response: tokens,
  errors: ['UNAUTHORIZED'],
})

export const refresh = route({
  id: 'auth.refresh',
  method: 'POST',
  path: '/auth/refresh',
  summary: 'Trade a refresh token for a new pair of tokens',
  access: { on: 'none' },
  body: z.strictObject({ refresh_token: z.string().min(1).max(1024) }).meta({ id: 'RefreshInput' }),
  response: tokens,
  errors: ['UNAUTHORIZED'],
})

export const logout = route({
  id: 'auth.logout',
  method: 'POST',
  path: '/auth/logout',
  summary: 'End this session: its access and refresh tokens are worth nothing from then on',
  access: { on: 'self', by: 'person' },
  body: z.strictObject({ refresh_token: z.string().min(1).max(1024) }).optional(),
})

export const getMe = route({
  id: 'auth.me',
  method: 'GET',
  path: '/auth/me',
  summary: 'Get who you are and where you belong',
  access: { on: 'self' },
  response: me,
})

export const changePassword = route({
  id: 'auth.change-password',
  method: 'POST',
  path: '/auth/password',
  summary: 'Change your own password and end your other sessions',
  access: { on: 'self', by: 'person' },
  body: z.strictObject({ current_password: password, new_password: newPassword }).meta({ id: 'PasswordChange' }),
  waits: true,
})

export const openSession = route({
  id: 'auth.open-session',
  method: 'POST',
  path: '/auth/session',
  summary: 'Sign in with a cookie, as browsers do: such requests carry the header X-NxMesh-Session, and come from this origin',
  access: { on: 'none' },
  body: credentials,
  response: me,
  errors: ['UNAUTHORIZED', 'FORBIDDEN'],
})

export const closeSession = route({
  id: 'auth.close-session',
  method: 'DELETE',
  path: '/auth/session',
  summary: 'End this session and clear its cookie',
  access: { on: 'self', by: 'person' },
})
