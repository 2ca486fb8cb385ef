import { ApiError, invalid } from '@nxmesh/api/errors'
import type { Kysely } from 'kysely'
import { Unanswered } from './commands.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { begin } from './db/transaction.ts'
import type { Answer } from './http/answer.ts'
import { toAnswer } from './http/errors.ts'

/** A request that is to be carried out once, however often it comes. */
export interface KeyedRequest {
  /** Whose key it is; the same key of another caller is another key. */
  caller: string
  key: string
  /** What tells requests apart: method, address and body. */
  content: string
  /** Whether it does what no transaction can hold. */
  waits: boolean
}

/** The keys whose requests this master carries out now. */
export type KeysUnderWay = Set<string>

const lifetime = 24 * 3600 * 1000
const longest = 255

/** Reads an Idempotency-Key header; throws VALIDATION_ERROR. */
export function readKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  if (typeof header === 'string' && header.length <= longest && /^[\x21-\x7e]+$/.test(header)) return header
  const message = `must be one word of at most ${longest} printable ASCII characters`
  throw invalid([{ field: 'Idempotency-Key', message, code: 'INVALID_FORMAT' }])
}

/**
 * Carries a request out, or gives the answer that it got before. The key, the change and the answer are one transaction, so a
 * master that is killed leaves all of them or none, and the same request may come again. A request that fails leaves no key.
 *
 * A command cannot be held in a transaction: its key is written before it is sent and its answer afterwards. When the master
 * is killed in between, nobody knows whether it was carried out, and that is what a repetition is told; it is not sent twice.
 */
export async function answerOnce(
  ctx: Ctx,
  request: KeyedRequest,
  underWay: KeysUnderWay,
  perform: (ctx: Ctx) => Promise<Answer>,
): Promise<Answer> {
  const name = `${request.caller} ${request.key}`
  if (underWay.has(name)) throw stillUnderWay()
  underWay.add(name)
  try {
    return await (request.waits ? command(ctx, request, perform) : change(ctx, request, perform))
  } finally {
    underWay.delete(name)
  }
}

/** Deletes keys that are older than a day; returns how many. */
export async function deleteOldKeys(ctx: Pick<Ctx, 'db' | 'now'>): Promise<number> {
  const result = await ctx.db.deleteFrom('idempotency_keys').where('created_at', '<', oldest(ctx)).executeTakeFirst()
  return Number(result.numDeletedRows)
}

async function change(ctx: Ctx, request: KeyedRequest, perform: (ctx: Ctx) => Promise<Answer>): Promise<Answer> {
  return begin(ctx.db, async ({ db }) => {
    const known = await claim({ ...ctx, db }, request)
    if (known) return known
    const answer = await perform({ ...ctx, db })
    await keep(ctx, db, request, answer)
    return answer
  })
}

async function command(ctx: Ctx, request: KeyedRequest, perform: (ctx: Ctx) => Promise<Answer>): Promise<Answer> {
  const known = await begin(ctx.db, ({ db }) => claim({ ...ctx, db }, request))
  if (known) return known
  // It was sent, so the key must not send it again, also where the answer cannot be kept.
  const keepSent = (answer: Answer) =>
    keep(ctx, ctx.db, request, answer).catch((error: unknown) =>
      ctx.log.error({ err: error, request_id: ctx.origin?.requestId }, 'the answer under an Idempotency-Key could not be kept'),
    )
  let answer: Answer
  try {
    answer = await perform(ctx)
  } catch (error) {
    if (error instanceof Unanswered) {
      const { status, body } = toAnswer(ctx, error, ctx.origin?.requestId ?? '')
      await keepSent({ status, headers: {}, body })
    } else {
      await row(ctx.db.deleteFrom('idempotency_keys'), request).execute()
    }
    throw error
  }
  await keepSent(answer)
  return answer
}

/** Takes a key for a request, or returns the answer that is kept under it. */
async function claim(ctx: Ctx, request: KeyedRequest): Promise<Answer | undefined> {
  const { caller, key } = request
  const fingerprint = ctx.secrets.fingerprint(request.content)
  await row(ctx.db.deleteFrom('idempotency_keys'), request).where('created_at', '<', oldest(ctx)).execute()
  const { numInsertedOrUpdatedRows: inserted = 0n } = await ctx.db
    .insertInto('idempotency_keys')
    .values({ caller, key, fingerprint, master_id: ctx.masterId, created_at: timestamp(ctx), status: null, answer: null })
    .onConflict((conflict) => conflict.columns(['caller', 'key']).doNothing())
    .executeTakeFirstOrThrow()
  if (inserted > 0n) return undefined
  const known = await row(ctx.db.selectFrom('idempotency_keys').selectAll(), request).executeTakeFirst()
  // Whoever had it has failed and let go of it.
  if (!known) return claim(ctx, request)
  if (known.fingerprint !== fingerprint) {
    const message = 'was sent before with another request; a new request needs a new key'
    throw invalid([{ field: 'Idempotency-Key', message, code: 'CONFLICT' }])
  }
  if (known.status === null || known.answer === null) {
    throw (await isAlive(ctx, known.master_id)) ? stillUnderWay() : unknownOutcome()
  }
  const { headers, body } = JSON.parse(ctx.secrets.open(known.answer)) as { headers: Record<string, string>; body?: unknown }
  return { status: known.status, headers: { ...headers, 'idempotent-replayed': 'true' }, body }
}

async function keep(ctx: Ctx, db: Kysely<Database>, request: KeyedRequest, { status, headers, body }: Answer): Promise<void> {
  const answer = ctx.secrets.seal(JSON.stringify({ headers, body }))
  await row(db.updateTable('idempotency_keys').set({ status, answer }), request).execute()
}

// A request of this master that is still carried out was found before it came here.
async function isAlive(ctx: Ctx, masterId: string): Promise<boolean> {
  if (masterId === ctx.masterId) return false
  return (await ctx.db.selectFrom('masters').select('id').where('id', '=', masterId).executeTakeFirst()) !== undefined
}

function stillUnderWay(): ApiError {
  return new ApiError('CONFLICT', 'a request with this Idempotency-Key is still being carried out')
}

function unknownOutcome(): ApiError {
  return new ApiError(
    'CONFLICT',
    'the master stopped or lost its database while it carried out the request with this Idempotency-Key, and whether it was done is not known; look at what it was to change, and use a new key to send it again',
  )
}

function oldest(ctx: Pick<Ctx, 'now'>): string {
  return new Date(ctx.now() - lifetime).toISOString()
}

interface ByKey {
  where(column: 'caller' | 'key', operator: '=', value: string): this
}

function row<Q extends ByKey>(query: Q, { caller, key }: KeyedRequest): Q {
  return query.where('caller', '=', caller).where('key', '=', key)
}
