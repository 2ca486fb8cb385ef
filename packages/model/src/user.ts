import { z } from 'zod'
import { organizationRole, tokenRole, workspaceRole } from './roles.ts'
import { id, line, name, slug, timestamp } from './text.ts'

/** An e-mail address as it is kept: in lower case, because people type it as they like. */
export const email = z
  .string()
  .max(320, 'must be at most 320 characters')
  .trim()
  .toLowerCase()
  .pipe(z.email('must be an e-mail address'))
  .meta({ format: 'email' })

/** A password that somebody chooses. */
export const newPassword = z.string().min(8, 'must have at least 8 characters').max(1024, 'must have at most 1024 characters')

export const userChanges = z.strictObject({ email, name }).meta({ id: 'UserInput' })

export const user = z
  .strictObject({
    id,
    email: z.string().meta({ format: 'email' }),
    name: z.string(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'User' })

export type User = z.infer<typeof user>

/** A new user, who belongs to an organization from the start. */
export const newUser = z
  .strictObject({ email, name, organization_id: id, role: organizationRole.default('member') })
  .meta({ id: 'NewUser' })

export type NewUser = z.infer<typeof newUser>

const oneTimePassword = z.strictObject({
  one_time_password: z.string().meta({
    description: 'Shown only here. It is good for signing in and setting a password of their own, until it expires.',
  }),
  one_time_password_expires_at: timestamp,
})

/** A password that an administrator has made for somebody. */
export const passwordReset = oneTimePassword.meta({ id: 'PasswordReset' })

export type PasswordReset = z.infer<typeof passwordReset>

export const createdUser = user.extend(oneTimePassword.shape).meta({ id: 'CreatedUser' })

const place = { id, name: z.string(), slug }

/** Who the caller is and where they belong. */
export const me = z
  .strictObject({
    user,
    must_change_password: z
      .boolean()
      .meta({ description: 'Whether the password is a one-time password: until it is changed, nothing else works.' }),
    token: z
      .strictObject({ id, name: line(200), organization_id: id, workspace_id: id.nullable(), role: tokenRole, expires_at: timestamp })
      .nullable()
      .meta({ description: 'The API token that the request came with.' }),
    memberships: z
      .array(
        z.strictObject({
          organization: z.strictObject(place),
          role: organizationRole,
          workspaces: z
            .array(z.strictObject({ ...place, role: workspaceRole }))
            .meta({ description: 'Workspaces with a role of their own; admins and owners of the organization are admins in all of them.' }),
        }),
      )
      .meta({ description: 'As far as an API token reaches; none for one of a workspace.' }),
  })
  .meta({ id: 'Me' })

export type Me = z.infer<typeof me>
