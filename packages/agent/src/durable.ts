import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, rename, rm, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { accessLogPath } from '@nxmesh/nginx/access-log'

/** Makes what was renamed or created inside a directory survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** Waits until the bytes of a file are on the disk. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Writes a new file and waits until its bytes are on the disk. */
async function writeSynced(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Replaces a file as a whole: a reader, a crash or a full disk finds the old content or the new, never a part. */
export async function replaceFile(path: string, text: string, mode = 0o600): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    await writeSynced(temporary, text, mode)
    await rename(temporary, path)
  } catch (cause) {
    await rm(temporary, { force: true })
    throw cause
  }
  await syncDirectory(dirname(path))
}

/** Points a symbolic link somewhere else in one step, and waits until that is on the disk. */
export async function replaceLink(path: string, target: string): Promise<void> {
  await moveLink(path, target)
  await syncDirectory(dirname(path))
}

/** Points a symbolic link somewhere else in one step. After a power cut it may lead to the old target again, until its directory is synced. */
export async function moveLink(path: string, target: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  await symlink(target, temporary)
  try {
    await rename(temporary, path)
  } catch (cause) {
    await rm(temporary, { force: true })
    throw cause
  }
}

export async function makeDirectory(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true, mode })
}

export interface DataPaths {
  data: string
  generations: string
  current: string
  configs: string
  identity: string
  runtime: string
  scratch: string
  socket: string
  ledger: string
  pid: string
  accessLog: string
  errorLog: string
  telemetry: string
}

/** Where everything lives in the agent's data directory. Workers run as another user and must reach `runtime`, so only the rest is closed to them. */
export function dataPaths(data: string): DataPaths {
  const runtime = join(data, 'runtime')
  return {
    data,
    runtime,
    generations: join(data, 'generations'),
    current: join(data, 'current'),
    configs: join(data, 'configs'),
    identity: join(data, 'identity'),
    scratch: join(data, 'scratch'),
    socket: join(runtime, 'nginx.sock'),
    ledger: join(data, 'ledger.json'),
    pid: join(runtime, 'nginx.pid'),
    accessLog: accessLogPath(runtime),
    errorLog: join(runtime, 'error.log'),
    telemetry: join(data, 'telemetry'),
  }
}
