// npm hoists workspaces, so an import that nobody declared resolves all the same. These tests hold the imports against the house rules.
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')

/** Which packages of the house a package may know. */
const knows: Record<string, string[]> = {
  model: [],
  nginx: ['model'],
  api: ['model'],
  proto: [],
  master: ['model', 'nginx', 'api', 'proto'],
  agent: ['model', 'nginx', 'proto'],
  testkit: ['model', 'nginx', 'api', 'proto', 'master', 'agent'],
}

/** What a package without effects may use of Node. */
const pureBuiltins = ['node:buffer', 'node:crypto', 'node:url']
const purePackages = ['model', 'nginx', 'api', 'proto']

interface SourceFile {
  package: string
  /** Relative to the root of the tree. */
  path: string
  text: string
  imports: string[]
}

interface PackageJson {
  dependencies?: Record<string, string>
}

const packages = readdirSync(join(root, 'packages'))
const files = packages.flatMap((name) => sourcesUnder(name, join(root, 'packages', name, 'src')))
// Tests run programs and know their neighbours.
const shipped = files.filter((file) => !file.path.endsWith('.test.ts'))

function sourcesUnder(name: string, folder: string): SourceFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => {
      const text = readFileSync(join(folder, path), 'utf8')
      return { package: name, path: relative(root, join(folder, path)), text, imports: importsOf(text) }
    })
}

function importsOf(text: string): string[] {
  const statements = text.matchAll(/^(?:import|export)\b[^'"]*?\bfrom\s*['"]([^'"]+)['"]|^import\s*['"]([^'"]+)['"]/gm)
  const calls = text.matchAll(/\bimport(?:\.meta\.resolve)?\(\s*['"]([^'"]+)['"]/g)
  return [...statements, ...calls].map((match) => match[1] ?? match[2] ?? '')
}

/** The name of the package an import is of, or nothing for one of Node or of the same package. */
function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || isBuiltin(specifier)) return undefined
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

function declaredBy(name: string): string[] {
  const json = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as PackageJson
  return Object.keys(json.dependencies ?? {})
}

function offences(among: SourceFile[], isOffence: (specifier: string, file: SourceFile) => boolean): string[] {
  return among.flatMap((file) =>
    file.imports.filter((specifier) => isOffence(specifier, file)).map((specifier) => `${file.path}: ${specifier}`),
  )
}

test('imports are recognised in every form', () => {
  const text = `import a from 'a'\nimport {\n  b,\n} from "b/c"\nimport 'c'\nexport * from './d.ts'\nimport type { E } from '@e/e/f'\nawait import('g')\nimport.meta.resolve('h')\n`
  expect(importsOf(text).sort()).toEqual(['./d.ts', '@e/e/f', 'a', 'b/c', 'c', 'g', 'h'])
  expect(['@e/e/f', 'b/c', 'node:fs', './d.ts'].map(packageOf)).toEqual(['@e/e', 'b', undefined, undefined])
})

test('every package of the house has its place in the direction of dependencies', () => {
  expect(packages.sort()).toEqual(Object.keys(knows).sort())
  for (const name of packages)
    expect(
      shipped.filter((file) => file.package === name),
      name,
    ).not.toHaveLength(0)
})

test('packages know only the packages below them', () => {
  const forbidden = offences(shipped, (specifier, file) => {
    const neighbour = /^@nxmesh\/([^/]+)/.exec(specifier)?.[1]
    return neighbour !== undefined && !knows[file.package]?.includes(neighbour)
  })
  expect(forbidden).toEqual([])
  for (const name of packages) {
    const declared = declaredBy(name).flatMap((dependency) => /^@nxmesh\/(.+)/.exec(dependency)?.[1] ?? [])
    expect(
      declared.filter((neighbour) => !knows[name]?.includes(neighbour)),
      `package.json of ${name}`,
    ).toEqual([])
  }
})

test('model depends on zod alone, and proto on the protobuf runtime alone', () => {
  expect(declaredBy('model')).toEqual(['zod'])
  expect(declaredBy('proto')).toEqual(['@bufbuild/protobuf'])
})

test('the pure packages touch no files, processes or sockets', () => {
  const pure = shipped.filter((file) => purePackages.includes(file.package))
  expect(offences(pure, (specifier) => isBuiltin(specifier) && !pureBuiltins.includes(specifier))).toEqual([])
})

test('no package imports what it does not declare', () => {
  const declared = Object.fromEntries(packages.map((name) => [name, declaredBy(name)]))
  const undeclared = offences(shipped, (specifier, file) => {
    const wanted = packageOf(specifier)
    return wanted !== undefined && !declared[file.package]?.includes(wanted)
  })
  expect(undeclared).toEqual([])
})

test('no package declares what it does not import', () => {
  const unused = packages.flatMap((name) => {
    const used = shipped.filter((file) => file.package === name).flatMap((file) => file.imports.map(packageOf))
    return declaredBy(name)
      .filter((dependency) => !used.includes(dependency))
      .map((dependency) => `${name}: ${dependency}`)
  })
  expect(unused).toEqual([])
})

test('no import reaches into another package by its path', () => {
  const strays = offences(files, (specifier, file) => {
    if (!specifier.startsWith('.')) return false
    // A test may share what the tests beside src use.
    const home = join('packages', file.package, file.path.endsWith('.test.ts') ? '.' : 'src')
    return relative(home, join(file.path, '..', specifier)).startsWith('..')
  })
  expect(strays).toEqual([])
})

test('only the link knows the wire format', () => {
  const link = /^packages\/(master|agent)\/src\/link(\/|\.ts$)|^packages\/testkit\/|^packages\/proto\//
  expect(offences(shipped, (specifier, file) => specifier.startsWith('@nxmesh/proto') && !link.test(file.path))).toEqual([])
})

test('only nginx.ts of the agent runs other programs, and the master only its telemetry store', () => {
  const programs = shipped.filter((file) => file.package !== 'testkit')
  const runners = programs.filter((file) => file.imports.some((specifier) => /^(node:)?child_process$/.test(specifier)))
  expect(runners.map((file) => file.path).sort()).toEqual(['packages/agent/src/nginx.ts', 'packages/master/src/telemetry/store.ts'])
})

test('no source file outgrows 500 lines', () => {
  const long = files.filter((file) => !file.path.includes('/gen/') && file.text.split('\n').length > 500)
  expect(long.map((file) => file.path)).toEqual([])
})
