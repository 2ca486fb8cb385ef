import { randomBytes } from 'node:crypto'
import { link, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Writes a file only if it does not exist yet, whole or not at all, also when two processes try at once. */
export async function writeOnce(file: string, text: string, mode: number): Promise<void> {
  const draft = await writeDraft(file, text, mode)
  try {
    await link(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(draft, { force: true })
  }
  await sync(dirname(file))
}

/** Replaces a file by renaming, so that a reader sees the old text or the new one. */
export async function replaceFile(file: string, text: string, mode: number): Promise<void> {
  await rename(await writeDraft(file, text, mode), file)
  await sync(dirname(file))
}

async function writeDraft(file: string, text: string, mode: number): Promise<string> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  await using handle = await open(draft, 'wx', mode)
  await handle.writeFile(text)
  await handle.sync()
  return draft
}

async function sync(directory: string): Promise<void> {
  await using handle = await open(directory)
  await handle.sync()
}
