import type { OrganizationRole, WorkspaceRole } from '@nxmesh/model/roles'
import { id } from '@nxmesh/model/text'
import { z } from 'zod'
import type { ErrorCode } from './errors.ts'

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

/** `person`: by somebody who signed in, not by an API token. */
interface By {
  by?: 'person'
}

/**
 * Who may call a route: nobody in particular (`none`; `anybody` where it matters who is signed in), whoever is signed in
 * (`user`; `self` for what concerns only them and is open to one with a one-time password), or a role on the resource that the
 * path names. `self: true` also lets through the user that the path names, who sees the resource.
 */
export type Access = By &
  (
    | { on: 'none' | 'anybody' | 'user' | 'self' | 'api_token' }
    | { on: 'account'; need: 'see' | 'change' }
    | { on: 'organization'; need: OrganizationRole; self?: true }
    | { on: WorkspaceThing; need: WorkspaceRole; self?: true }
  )

/** What a path can name that belongs to a workspace, which decides about access to it. */
export type WorkspaceThing =
  | 'workspace'
  | 'agent'
  | 'virtual_host'
  | 'stream_host'
  | 'upstream'
  | 'certificate'
  | 'acme_account'
  | 'alert_rule'
  | 'alert'
  | 'notification_channel'
  | 'notification_delivery'
  | 'dns_provider'

/** One operation of the REST API as data: everything that the server, the client and the document need to know. */
export interface Route<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Response extends z.ZodType = z.ZodType,
> {
  /** The operation id: resource and verb, as the CLI shows it. */
  id: string
  method: Method
  /** Relative to the API's base (`/v1`), parameters in braces. */
  path: string
  summary: string
  access: Access
  params: Params
  query: Query
  body: Body
  response: Response
  status: 200 | 201 | 204
  /** Errors it can answer with beyond those that follow from its method, its path and who may call it. */
  errors: readonly ErrorCode[]
  /** Media types it can answer with besides JSON. */
  produces: readonly string[]
  /** Whether it does what no transaction can hold: wait for an agent, or count a wrong password although it is refused. */
  waits: boolean
}

/** Declares a route; what is left out is empty. */
export function route<
  const Id extends string,
  P extends z.ZodType = typeof nothing,
  Q extends z.ZodType = typeof nothing,
  B extends z.ZodType = z.ZodUndefined,
  R extends z.ZodType = z.ZodUndefined,
>(
  declaration: Pick<Route, 'method' | 'path' | 'summary' | 'access'> & {
    id: Id
    params?: P
    query?: Q
    body?: B
    response?: R
    status?: 200 | 201 | 204
    errors?: readonly ErrorCode[]
    produces?: readonly string[]
    waits?: boolean
  },
): Route<P, Q, B, R> & { id: Id } {
  return {
    ...declaration,
    params: declaration.params ?? (nothing as unknown as P),
    query: declaration.query ?? (nothing as unknown as Q),
    body: declaration.body ?? ((declaration.method === 'POST' ? nothingMuch : z.undefined()) as unknown as B),
    response: declaration.response ?? (z.undefined() as unknown as R),
    status: declaration.status ?? (declaration.response ? 200 : 204),
    errors: declaration.errors ?? [],
    produces: declaration.produces ?? [],
    waits: declaration.waits ?? false,
  }
}

/** Whether a route takes an Idempotency-Key: it creates something or commands, and says who asks. */
export function takesIdempotencyKey({ method, access }: Pick<Route, 'method' | 'access'>): boolean {
  return method === 'POST' && access.on !== 'none'
}

const nothing = z.strictObject({})
// Many clients send an empty object with each POST.
const nothingMuch = nothing.optional()

/** Path parameters that are ids, by name. */
export function ids<const Names extends string[]>(...names: Names) {
  return z.strictObject(Object.fromEntries(names.map((name) => [name, id])) as Record<Names[number], typeof id>)
}

/** A whole number from 1 on, as text in a query. */
export const whole = (max: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(1, `must be from 1 to ${max}`).max(max, `must be from 1 to ${max}`))

/** `page` from 1 and `per_page` from 1 to 100, as text in a query. */
export const paging = z.strictObject({ page: whole(1_000_000).default(1), per_page: whole(100).default(20) })

export type Paging = z.infer<typeof paging>

const pageMeta = z.strictObject({ page: z.int(), per_page: z.int(), total: z.int() }).meta({ id: 'PageMeta' })

/** The answer of a list. */
export function pageOf<T extends z.ZodType>(item: T) {
  const page = z.strictObject({ data: z.array(item), meta: pageMeta })
  const name = item.meta()?.id
  return name === undefined ? page : page.meta({ id: `${name}Page` })
}
