import { z } from 'zod'
import type { Labels } from './labels.ts'
import { matches, parseSelector } from './selector.ts'
import { id } from './text.ts'

export const labelSelector = z
  .string()
  .max(4000, 'must be at most 4000 characters')
  .superRefine((text, ctx) => {
    const parsed = parseSelector(text)
    if (!parsed.ok) ctx.addIssue({ code: 'custom', message: parsed.message })
  })
  .meta({ description: 'Requirements on labels, joined by commas: `a=b`, `a!=b`, `a in (x,y)`, `a notin (x,y)`, `a`, `!a`.' })

/** Which agents serve a virtual host or a stream host. */
export const targetAgents = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('all') }),
    z.strictObject({ type: z.literal('selector'), label_selector: labelSelector }),
    z.strictObject({ type: z.literal('agents'), agent_ids: z.array(id).max(10_000) }),
  ])
  .meta({ id: 'TargetAgents', description: 'Which agents serve a virtual host or a stream host.' })

export type TargetAgents = z.infer<typeof targetAgents>

/** Turns a target into a test that can be asked about many agents. An unreadable selector matches none. */
export function targetTest(target: TargetAgents): (agent: { id: string; labels: Labels }) => boolean {
  switch (target.type) {
    case 'all':
      return () => true
    case 'selector': {
      const parsed = parseSelector(target.label_selector)
      return parsed.ok ? (agent) => matches(parsed.selector, agent.labels) : () => false
    }
    case 'agents': {
      const ids = new Set(target.agent_ids)
      return (agent) => ids.has(agent.id)
    }
    default:
      return target satisfies never
  }
}
