import { ApiError, invalid } from '@nxmesh/api/errors'
import { isPattern } from '@nxmesh/api/events'
import type { Paging } from '@nxmesh/api/route'
import type { ChannelPatch } from '@nxmesh/api/routes/notifications'
import { isEqual } from '@nxmesh/model/field-changes'
import { type ChannelInput, channelInputs, type NotificationChannel } from '@nxmesh/model/notification-channel'
import type { Problem } from '@nxmesh/model/problem'
import type { Kysely } from 'kysely'
import { audit } from '../audit.ts'
import { type Ctx, timestamp } from '../ctx.ts'
import type { Database } from '../db/schema.ts'
import type { ChannelRow } from '../db/schema-events.ts'
import { transaction } from '../db/transaction.ts'
import { requireMatch, type Tagged } from '../etag.ts'
import { newestOf } from '../events/log.ts'
import { rangeOf } from '../page.ts'
import { patched } from '../patched.ts'
import { refusingDuplicate } from '../unique.ts'
import { uuidv7 } from '../uuid.ts'
import { endPending } from './attempts.ts'
import { openTarget } from './message.ts'
import { inputOf, shownChannel, targetOf } from './shown-channel.ts'
import { urlOf } from './target.ts'

const taken = 'a notification channel with this name exists already in the workspace'

export async function listChannels(ctx: Ctx, workspaceId: string, paging: Paging) {
  const all = ctx.db.selectFrom('notification_channels').where('workspace_id', '=', workspaceId)
  const { limit, offset } = rangeOf(paging)
  const rows = await all.selectAll().orderBy('created_at').orderBy('id').limit(limit).offset(offset).execute()
  const { total } = await all.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: rows.map((row) => shownChannel(row, openTarget(ctx, row))), meta: { ...paging, total } }
}

export async function getChannel(ctx: Ctx, id: string): Promise<Tagged<NotificationChannel>> {
  return tagged(ctx, await readRow(ctx.db, id))
}

/** Creates a channel, which is told of what happens from now on. A secret that is made for it is in this answer only. */
export async function createChannel(ctx: Ctx, workspaceId: string, input: ChannelInput): Promise<Tagged<NotificationChannel>> {
  requireSound(ctx, input)
  const { target, made } = targetOf(input, undefined, ctx.now())
  return refusingDuplicate('name', taken, () =>
    transaction(
      ctx,
      async ({ db }) => {
        const now = timestamp(ctx)
        const row: ChannelRow = {
          id: uuidv7(ctx.now()),
          workspace_id: workspaceId,
          kind: input.kind,
          ...said(input),
          target: ctx.secrets.seal(JSON.stringify(target)),
          begins_after: await newestOf(db),
          failing_since: null,
          last_error: null,
          disabled_reason: null,
          created_at: now,
          updated_at: now,
          revision: 1,
        }
        await db.insertInto('notification_channels').values(row).execute()
        await audit(ctx, db, { workspaceId, object: objectOf(row), after: shownChannel(row, target) })
        return tagged(ctx, row, made)
      },
      workspaceId,
    ),
  )
}

export async function updateChannel(
  ctx: Ctx,
  id: string,
  patch: ChannelPatch,
  ifMatch: string | undefined,
): Promise<Tagged<NotificationChannel>> {
  const { workspace_id: workspaceId } = await readRow(ctx.db, id)
  return refusingDuplicate('name', taken, () =>
    transaction(
      ctx,
      async ({ db }) => {
        const before = await readRow(db, id)
        requireMatch(ifMatch, before.revision)
        const present = openTarget(ctx, before)
        const inputBefore = inputOf(before, present)
        const input: ChannelInput = patched(channelInputs[before.kind], inputBefore, patch)
        if (isEqual(inputBefore, input)) return tagged(ctx, before)
        requireSound(ctx, input)
        const { target, made } = targetOf(input, present, ctx.now())
        const after: ChannelRow = {
          ...before,
          ...said(input),
          ...(isEqual(present, target) ? {} : { target: ctx.secrets.seal(JSON.stringify(target)) }),
          // What happened while it was disabled is not told.
          ...(input.enabled && before.enabled === 0 ? { begins_after: await newestOf(db), disabled_reason: null } : {}),
          updated_at: timestamp(ctx),
          revision: before.revision + 1,
        }
        await db.updateTable('notification_channels').set(after).where('id', '=', id).execute()
        if (before.enabled === 1 && !input.enabled) await endPending(db, id)
        const deed = { before: shownChannel(before, present), after: shownChannel(after, target) }
        await audit(ctx, db, { workspaceId, object: objectOf(after), ...deed })
        return tagged(ctx, after, made)
      },
      workspaceId,
    ),
  )
}

export async function deleteChannel(ctx: Ctx, id: string, ifMatch: string | undefined): Promise<void> {
  const { workspace_id: workspaceId } = await readRow(ctx.db, id)
  await transaction(
    ctx,
    async ({ db }) => {
      const before = await readRow(db, id)
      requireMatch(ifMatch, before.revision)
      await audit(ctx, db, { workspaceId, object: objectOf(before), before: shownChannel(before, openTarget(ctx, before)) })
      await db.deleteFrom('notification_channels').where('id', '=', id).execute()
    },
    workspaceId,
  )
}

/** A channel that is there; throws NOT_FOUND. */
export async function readRow(db: Kysely<Database>, id: string): Promise<ChannelRow> {
  const row = await db.selectFrom('notification_channels').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new ApiError('NOT_FOUND', 'notification channel not found')
  return row
}

function requireSound({ sender }: Ctx, input: ChannelInput): void {
  const problems = input.events.flatMap((pattern, index): Problem[] =>
    isPattern(pattern) ? [] : [{ field: `events.${index}`, message: 'is the pattern of no event', code: 'INVALID_VALUE' }],
  )
  const url = urlOf(input)
  if (url && sender.isForbidden(url)) {
    const message = 'is no public address; the master’s --outbound-networks allows others'
    problems.push({ field: 'url', message, code: 'NOT_ALLOWED' })
  }
  if (input.kind === 'email' && !sender.takesMail) {
    const message = 'this master has no SMTP server: start it with --smtp-url and --smtp-from'
    problems.push({ field: 'kind', message, code: 'NOT_ALLOWED' })
  }
  if (problems.length > 0) throw invalid(problems)
}

function said({ name, enabled, events, min_severity }: ChannelInput) {
  return { name, enabled: enabled ? 1 : 0, events: JSON.stringify(events), min_severity }
}

function tagged(ctx: Ctx, row: ChannelRow, made?: string): Tagged<NotificationChannel> {
  const body = shownChannel(row, openTarget(ctx, row))
  const { revision, failing_since, last_error } = row
  const state = { body: made === undefined ? body : { ...body, secret: made }, revision }
  return failing_since === null ? state : { ...state, variant: ctx.secrets.fingerprint(`${failing_since} ${last_error}`).slice(0, 16) }
}

function objectOf({ id, name }: Pick<ChannelRow, 'id' | 'name'>) {
  return { kind: 'notification-channel', id, name }
}
