import { z } from 'zod'
import { finding } from './agent.ts'
import { changedObject, configObject } from './revision.ts'
import { timestamp } from './text.ts'

const text = (max: number) => z.string().max(max)

/** What an agent says of its nginx: what decides which files it renders for a config, and where it puts them. */
export const nginxInstallation = z
  .strictObject({
    mode: z.enum(['owned', 'include']),
    version: text(100),
    supports: z.array(text(100)).max(100),
    modules: z
      .record(text(100), z.array(text(4096)).max(10))
      .optional()
      .meta({ description: 'The dynamic modules that it needs for some of that, as the files to load.' }),
    runtime_directory: text(4096),
    generations_directory: text(4096),
    ipv6: z.boolean(),
    worker_user: text(256).meta({ description: 'The user of the workers; empty where nginx does not run as root.' }),
    resolver: text(100)
      .regex(/^$|^127\.0\.0\.1:\d{1,5}$/, 'must be a port of 127.0.0.1')
      .meta({ description: 'Where nginx may ask the agent for the servers of upstreams; empty where it cannot.' }),
    access_log: text(4096).meta({ description: 'Where requests are logged; empty where they are not.' }),
  })
  .meta({ id: 'NginxInstallation' })

export type NginxInstallation = z.infer<typeof nginxInstallation>

export const renderedFile = z
  .strictObject({
    path: z.string().meta({ description: 'Relative to the folder that nginx serves from.' }),
    mode: z.string().meta({ description: 'Permission bits, octal.' }),
    sha256: z.string(),
    content: z.string().nullable().meta({ description: 'Null where the file holds a private key or passwords.' }),
  })
  .meta({ id: 'RenderedFile' })

export type ConfigFile = z.infer<typeof renderedFile>

const at = { version: z.int(), digest: z.string() }
const files = z.array(renderedFile).nullable()
const note = z.string().nullable().meta({ description: 'Why there are no files, or why they may differ from those of the agent.' })

/** The files that an agent must serve, and those that it serves. */
export const agentFiles = z
  .strictObject({
    nginx: nginxInstallation.nullable(),
    desired: z.strictObject({ ...at, files, findings: z.array(finding), note }).meta({ id: 'DesiredFiles' }),
    applied: z
      .strictObject({
        ...at,
        files,
        matches_agent: z
          .boolean()
          .nullable()
          .meta({ description: "Whether the agent's own checksum of its files says the same; null where it says none." }),
        note,
      })
      .meta({ id: 'AppliedFiles' })
      .nullable(),
  })
  .meta({ id: 'AgentFiles' })

export type AgentFiles = z.infer<typeof agentFiles>

export const fileDiff = z
  .strictObject({
    path: z.string(),
    action: z.enum(['added', 'removed', 'changed']),
    diff: z.string().nullable().meta({ description: 'A unified diff. Null where the file holds a private key or passwords.' }),
  })
  .meta({ id: 'FileDiff' })

export type FileDiff = z.infer<typeof fileDiff>

/** What leads from what an agent applied to what it must run: by objects and fields, and by lines of its files. */
export const agentDiff = z
  .strictObject({
    from: z.strictObject(at).nullable().meta({ description: 'What the agent applied; null where it has applied nothing yet.' }),
    to: z.strictObject(at),
    objects: z
      .strictObject({ added: z.array(configObject), removed: z.array(configObject), changed: z.array(changedObject) })
      .meta({ id: 'ObjectDiff' })
      .nullable(),
    files: z.array(fileDiff).nullable(),
    note,
  })
  .meta({ id: 'AgentDiff' })

export type AgentDiff = z.infer<typeof agentDiff>

/** One attempt of an agent to apply a config. */
export const applyRecord = z
  .strictObject({
    id: z.string(),
    ...at,
    status: z.enum(['success', 'failed', 'rolled_back']),
    error: z.string().nullable(),
    findings: z.array(finding),
    duration_ms: z.int(),
    applied_at: timestamp.nullable().meta({ description: "By the agent's clock; null where it does not say." }),
    reported_at: timestamp.meta({ description: "When the master heard of it, by the master's clock." }),
  })
  .meta({ id: 'Apply' })

export type ApplyRecord = z.infer<typeof applyRecord>
