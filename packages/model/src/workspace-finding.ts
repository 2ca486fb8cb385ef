import { z } from 'zod'
import { id } from './text.ts'

/** How grave a finding is: it serves something wrong or opens a hole; it may well not do what is meant; it could be better. */
export const findingSeverities = ['error', 'warning', 'info'] as const

/** What a finding can be about. */
export const findingKinds = ['virtual_host', 'stream_host', 'upstream', 'certificate', 'settings', 'agent'] as const

/** Who finds: rules over the config, the rendering of it for an agent, or nginx itself on an agent. */
export const finders = ['lint', 'agent'] as const

const findingObject = z
  .strictObject({
    kind: z.enum(findingKinds),
    id: id.nullable().meta({ description: 'Of the settings, the id of the workspace.' }),
    name: z.string().nullable(),
  })
  .meta({ id: 'FindingObject' })

/** Something that is wrong, or could be better, in what a workspace asks of its agents. */
export const workspaceFinding = z
  .strictObject({
    severity: z.enum(findingSeverities),
    code: z.string().meta({ description: 'What kind of thing it is: stays the same while texts are improved.' }),
    object: findingObject,
    field: z.string().nullable().meta({ description: 'Dotted path into the object: `locations.0.proxy_pass`.' }),
    reason: z.string(),
    fix: z.string().nullable().meta({ description: 'What to do about it.' }),
    source: z.string().nullable().meta({ description: 'The page that says so.' }),
    found_by: z.enum(finders).meta({
      description: '`lint`: by a rule over the config. `agent`: by an agent, when it rendered the config or nginx read it.',
    }),
    agents: z.int().meta({ description: 'How many agents it holds for: of `lint`, those that serve the object.' }),
    agent_ids: z.array(id).meta({ description: 'The first hundred of them.' }),
  })
  .meta({ id: 'WorkspaceFinding' })

export type WorkspaceFinding = z.infer<typeof workspaceFinding>
