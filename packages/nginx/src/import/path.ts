/** A path as an absolute one, seen from a folder, without `.`, `..` and doubled slashes. */
export function absolute(path: string, folder: string): string {
  const names: string[] = []
  for (const name of (path.startsWith('/') ? path : `${folder}/${path}`).split('/')) {
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name)
  }
  return `/${names.join('/')}`
}

/** The folder that holds a file, by its absolute path. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}
