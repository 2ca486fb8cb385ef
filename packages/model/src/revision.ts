import { z } from 'zod'
import { servedCertificate } from './served-certificate.ts'
import { settings } from './settings.ts'
import { streamHost } from './stream-host.ts'
import { id, timestamp } from './text.ts'
import { upstream } from './upstream.ts'
import { virtualHost } from './virtual-host.ts'

export const configKinds = ['virtual_host', 'stream_host', 'upstream', 'certificate', 'settings'] as const

/** The kinds of objects that make a workspace's config. */
export type ConfigKind = (typeof configKinds)[number]

const object = { kind: z.enum(configKinds), id, name: z.string() }

/** One object that a version changed, and how. */
export const revisionChange = z
  .strictObject({ ...object, action: z.enum(['created', 'changed', 'deleted']) })
  .meta({ id: 'RevisionChange', description: 'One object that a version changed.' })

export type RevisionChange = z.infer<typeof revisionChange>

/** The record of a version: who made it, when, why, and what it changed. */
export const revision = z
  .strictObject({
    version: z.int(),
    author: z.string().meta({ description: 'E-mail address of the user who made the change.' }),
    created_at: timestamp,
    reason: z.string().meta({ description: 'What `X-Change-Reason` said, or what was done.' }),
    changes: z.array(revisionChange),
  })
  .meta({ id: 'Revision' })

export type Revision = z.infer<typeof revision>

/** Everything a workspace consisted of at a version, each list in order of creation. */
export const workspaceState = z
  .strictObject({
    virtual_hosts: z.array(virtualHost),
    stream_hosts: z.array(streamHost),
    upstreams: z.array(upstream),
    certificates: z.array(servedCertificate),
    settings,
  })
  .meta({ id: 'WorkspaceState' })

export const revisionDetail = revision.extend({ state: workspaceState }).meta({ id: 'RevisionDetail' })

export type RevisionDetail = z.infer<typeof revisionDetail>

/** One field that differs: `before` or `after` is left out where the field is not there. */
export const fieldChange = z
  .strictObject({
    field: z.string().meta({ description: 'A dotted path, as in `locations.0.path`.' }),
    before: z.unknown().optional(),
    after: z.unknown().optional(),
  })
  .meta({ id: 'FieldChange' })

export type FieldChange = z.infer<typeof fieldChange>

const content = z.record(z.string(), z.unknown())

export const configObject = z.strictObject({ ...object, content }).meta({ id: 'RevisionObject' })

export const changedObject = z.strictObject({ ...object, fields: z.array(fieldChange) }).meta({ id: 'ChangedObject' })

/** What leads from one version to another. */
export const revisionDiff = z
  .strictObject({
    from: z.int(),
    to: z.int(),
    added: z.array(configObject),
    removed: z.array(configObject),
    changed: z.array(changedObject),
  })
  .meta({ id: 'RevisionDiff' })

export type RevisionDiff = z.infer<typeof revisionDiff>

/** What a rollback did: a new version, or nothing where the workspace is already as it was then. */
export const rollbackResult = z
  .strictObject({
    changed: z.boolean(),
    version: z.int().meta({ description: 'The version of the workspace now.' }),
    message: z.string(),
    changes: z.array(revisionChange),
  })
  .meta({ id: 'RollbackResult' })

export type RollbackResult = z.infer<typeof rollbackResult>
