import type { Ctx } from '../ctx.ts'
import type { ChannelRow, DeliveryRow } from '../db/schema-events.ts'
import type { Message } from './sender.ts'
import type { ChannelTarget } from './target.ts'
import { type SentEvent, wordsOf } from './words.ts'

/** Where a channel leads. */
export function openTarget({ secrets }: Pick<Ctx, 'secrets'>, { target }: Pick<ChannelRow, 'target'>): ChannelTarget {
  return JSON.parse(secrets.open(target)) as ChannelTarget
}

/** What is sent for a delivery, with the names of today. */
export async function messageOf(
  { db }: Pick<Ctx, 'db'>,
  { event_id, body, workspace_id }: Pick<DeliveryRow, 'event_id' | 'body' | 'workspace_id'>,
): Promise<Message> {
  const event = JSON.parse(body) as SentEvent
  const agentId = event.data['agent_id']
  const workspace = await db.selectFrom('workspaces').select('name').where('id', '=', workspace_id).executeTakeFirst()
  const agent =
    typeof agentId === 'string'
      ? await db.selectFrom('agents').select('name').where('id', '=', agentId).where('workspace_id', '=', workspace_id).executeTakeFirst()
      : undefined
  return { id: event_id, body, words: wordsOf(event, { workspace: workspace?.name ?? workspace_id, agent: agent?.name }) }
}
