import { z } from 'zod'
import { route } from '../route.ts'

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
  body: z.strictObject({ email: z.string().min(1).max(320), password: z.string().min(1).max(1024) }).meta({ id: 'Credentials' }),
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
