import { readFile } from 'node:fs/promises'

/** Lists of texts by name, as a file of the agent keeps them; none where there is no such file or it holds something else. */
export async function readListsByName(path: string): Promise<Record<string, string[]>> {
  try {
    const read: unknown = JSON.parse(await readFile(path, 'utf8'))
    return areListsByName(read) ? read : {}
  } catch {
    return {}
  }
}

function areListsByName(value: unknown): value is Record<string, string[]> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).every((list) => Array.isArray(list) && list.every((text) => typeof text === 'string'))
}
