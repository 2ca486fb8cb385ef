import { z } from 'zod'
import { settings } from './settings.ts'
import { streamHost } from './stream-host.ts'
import { id } from './text.ts'
import { upstream } from './upstream.ts'
import { virtualHost } from './virtual-host.ts'

const place = { file: z.string(), line: z.int(), column: z.int() }

/**
 * What became of a directive: a field of an object; kept as it is, among an object's custom or extra directives; left to NxMesh, which
 * does the same by itself; or not taken over.
 */
export const importOutcomes = ['imported', 'kept', 'replaced', 'left_out'] as const

export const importLine = z
  .strictObject({
    ...place,
    directive: z.string().meta({ description: 'Its name and arguments, as they are written.' }),
    outcome: z.enum(importOutcomes),
    object: z.strictObject({ kind: z.enum(['virtual_host', 'stream_host', 'upstream', 'settings']), name: z.string() }).optional(),
    field: z.string().optional(),
    message: z.string().optional(),
  })
  .meta({ id: 'ImportLine', description: 'What became of one directive.' })

export type ImportLine = z.infer<typeof importLine>

/** Why files cannot be read as nginx would read them. */
export const importProblemCodes = [
  'SYNTAX',
  'MISSING_FILE',
  'UNREADABLE_FILE',
  'CYCLE',
  'TOO_LARGE',
  'BYTE_ORDER_MARK',
  'UNUSABLE_CERTIFICATE',
] as const

export const importProblem = z
  .strictObject({ ...place, code: z.enum(importProblemCodes), message: z.string() })
  .meta({ id: 'ImportProblem', description: 'What kept a file, or a part of it, from being read.' })

export type ImportProblem = z.infer<typeof importProblem>

/** One directive that the configuration as NxMesh writes it has or has not, against the one that was read. */
export const importDifference = z
  .strictObject({
    context: z.string().meta({ description: 'The block, as in `server a.test:80 location /`.' }),
    change: z.enum(['added', 'removed']),
    directive: z.string(),
  })
  .meta({
    id: 'ImportDifference',
    description: 'A directive that is only in what was read (`removed`), or only in what NxMesh writes (`added`).',
  })

export type ImportDifference = z.infer<typeof importDifference>

/** A certificate file that servers of the configuration name, and the certificate of the workspace that stands for it. */
export const importCertificate = z
  .strictObject({
    path: z.string(),
    server_names: z.array(z.string()),
    certificate_id: id.nullable(),
    created: z
      .boolean()
      .optional()
      .meta({ description: 'Whether the certificate is made of this file and that of its key, as an uploaded one.' }),
  })
  .meta({ id: 'ImportCertificate' })

export type ImportCertificate = z.infer<typeof importCertificate>

const certificatesByPath = z.record(z.string(), id).default({}).meta({
  description:
    'Certificates of the workspace by the path of the file that they stand for. A path that is not named gets the one in its file, where that and the key are among `files`, or else one that covers its names.',
})

/** How the configuration that an agent's host has is to be imported. */
export const agentImportInput = z
  .strictObject({
    certificates: certificatesByPath,
    dry_run: z.boolean().default(true).meta({ description: 'Only look; nothing is written unless this is `false`.' }),
  })
  .meta({ id: 'AgentImportInput' })

export type AgentImportInput = z.infer<typeof agentImportInput>

/** A configuration to import: the texts of its files and which of them nginx is started with, or what `nginx -T` says. */
export const importInput = z
  .strictObject({
    files: z
      .record(z.string().min(1).max(4096), z.string())
      .optional()
      .meta({ description: 'Text by path; relative paths are in /etc/nginx.' }),
    main: z
      .string()
      .min(1)
      .max(4096)
      .optional()
      .meta({ description: 'The file of `files` that nginx is started with; nginx.conf where it is absent.' }),
    dump: z.string().optional().meta({ description: 'The output of `nginx -T`.' }),
    certificates: certificatesByPath,
    dry_run: z.boolean().default(false),
  })
  .superRefine(({ files, main, dump }, ctx) => {
    if ((files === undefined) === (dump === undefined))
      ctx.addIssue({ code: 'custom', path: ['files'], message: 'must be given, or else `dump`' })
    if (main !== undefined && files === undefined) ctx.addIssue({ code: 'custom', path: ['main'], message: 'is only for `files`' })
  })
  .meta({ id: 'ImportInput' })

export type ImportInput = z.infer<typeof importInput>

/** What an import did, or would do. */
export const importResult = z
  .strictObject({
    dry_run: z.boolean(),
    version: z.int().meta({ description: 'The version of the workspace now.' }),
    virtual_hosts: z.array(virtualHost),
    stream_hosts: z.array(streamHost),
    upstreams: z.array(upstream),
    settings,
    certificates: z.array(importCertificate),
    equal: z.boolean().meta({ description: 'Whether what NxMesh writes says the same as what was read: there are no differences.' }),
    differences: z.array(importDifference),
    problems: z.array(importProblem),
    lines: z.array(importLine),
  })
  .meta({ id: 'ImportResult' })

export type ImportResult = z.infer<typeof importResult>
