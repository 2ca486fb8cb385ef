import { escapes } from './bytes.ts'
import type { ParsedRegex } from './parse-regex.ts'
import { type Item, widthOf } from './syntax.ts'

/** The whole match and its groups, each undefined where it took no part; `too_much` where the search was given up. */
export type Match = { kind: 'match'; groups: (string | undefined)[] } | { kind: 'none' } | { kind: 'too_much' }

type Next = (at: number) => boolean
type Step = (at: number, next: Next) => boolean

interface Run {
  text: string
  starts: number[]
  ends: number[]
  left: number
  depth: number
}

class TooMuch extends Error {}

/** How much searching is left: shared by all searches that belong together. */
export interface Effort {
  left: number
}

const budget = 200_000
const deepest = 500

/** Searches a text, latin1 byte by byte, as PCRE does: leftmost first, backtracking, groups keeping what they took last. The effort is bounded, for each search and by what is left for all. */
export function matchRegex({ item, groups }: ParsedRegex, text: string, effort: Effort): Match {
  const run: Run = {
    text,
    starts: Array(groups + 1).fill(-1),
    ends: Array(groups + 1).fill(-1),
    left: Math.min(budget, effort.left),
    depth: 0,
  }
  const given = run.left
  try {
    const step = compile(item, run)
    for (let from = 0; from <= text.length; from++) {
      let end = -1
      const found = step(from, (at) => {
        end = at
        return true
      })
      if (!found) continue
      const taken = run.starts.map((start, group) => (run.ends[group] === -1 ? undefined : text.slice(start, run.ends[group])))
      return { kind: 'match', groups: [text.slice(from, end), ...taken.slice(1)] }
    }
    return { kind: 'none' }
  } catch (problem) {
    if (problem instanceof TooMuch || problem instanceof RangeError) return { kind: 'too_much' }
    throw problem
  } finally {
    effort.left -= given - run.left
  }
}

function spend(run: Run): void {
  if (--run.left < 0) throw new TooMuch()
}

function compile(item: Item, run: Run): Step {
  const { text } = run
  switch (item.kind) {
    case 'set':
      return (at, next) => {
        spend(run)
        return at < text.length && item.has[text.charCodeAt(at)] === 1 && next(at + 1)
      }
    case 'start':
      return (at, next) => at === 0 && next(at)
    case 'line_start':
      return (at, next) => (at === 0 || (text[at - 1] === '\n' && at < text.length)) && next(at)
    case 'end':
      return (at, next) => (at === text.length || (at === text.length - 1 && text[at] === '\n')) && next(at)
    case 'line_end':
      return (at, next) => (at === text.length || text[at] === '\n') && next(at)
    case 'end_only':
      return (at, next) => at === text.length && next(at)
    case 'boundary':
      return (at, next) => isBoundary(text, at) && next(at)
    case 'not_boundary':
      return (at, next) => !isBoundary(text, at) && next(at)
    case 'sequence':
      return sequence(item.items.map((part) => compile(part, run)))
    case 'either': {
      const branches = item.branches.map((branch) => compile(branch, run))
      return (at, next) => {
        spend(run)
        return branches.some((branch) => branch(at, next))
      }
    }
    case 'group':
      return group(item, run)
    case 'back':
      return back(item, run)
    case 'look':
      return look(item, run)
    case 'repeat':
      return repeat(item, run)
    default:
      return item satisfies never
  }
}

function isBoundary(text: string, at: number): boolean {
  const isWord = (place: number) => place >= 0 && place < text.length && escapes['w']![text.charCodeAt(place)] === 1
  return isWord(at - 1) !== isWord(at)
}

function sequence(steps: Step[]): Step {
  const from = (index: number, at: number, next: Next): boolean => {
    const step = steps[index]
    return step ? step(at, (after) => from(index + 1, after, next)) : next(at)
  }
  return (at, next) => from(0, at, next)
}

function group({ index, of, atomic }: Item & { kind: 'group' }, run: Run): Step {
  const inner = compile(of, run)
  const captured: Step =
    index === undefined
      ? inner
      : (at, next) => {
          const [start, end] = [run.starts[index]!, run.ends[index]!]
          const found = inner(at, (after) => {
            const [innerStart, innerEnd] = [run.starts[index]!, run.ends[index]!]
            run.starts[index] = at
            run.ends[index] = after
            if (next(after)) return true
            run.starts[index] = innerStart
            run.ends[index] = innerEnd
            return false
          })
          if (!found) {
            run.starts[index] = start
            run.ends[index] = end
          }
          return found
        }
  return atomic ? atomically(captured, run) : captured
}

/** Takes the first way of matching and never another. */
function atomically(step: Step, run: Run): Step {
  return (at, next) => {
    const before = [[...run.starts], [...run.ends]] as const
    let end = -1
    const found = step(at, (after) => {
      end = after
      return true
    })
    if (found && next(end)) return true
    run.starts.splice(0, run.starts.length, ...before[0])
    run.ends.splice(0, run.ends.length, ...before[1])
    return false
  }
}

function back({ index, caseless }: Item & { kind: 'back' }, run: Run): Step {
  const fold = (part: string) => (caseless ? part.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) : part)
  return (at, next) => {
    spend(run)
    if (run.ends[index] === -1) return false
    const wanted = run.text.slice(run.starts[index], run.ends[index])
    return fold(run.text.slice(at, at + wanted.length)) === fold(wanted) && next(at + wanted.length)
  }
}

function look({ behind, negative, of }: Item & { kind: 'look' }, run: Run): Step {
  const branches = (of.kind === 'either' && behind ? of.branches : [of]).map((branch) => compile(branch, run))
  return (at, next) => {
    const before = [[...run.starts], [...run.ends]] as const
    const restore = () => {
      run.starts.splice(0, run.starts.length, ...before[0])
      run.ends.splice(0, run.ends.length, ...before[1])
    }
    const found = branches.some((branch, which) => {
      const from = behind ? at - behind[which]! : at
      return from >= 0 && branch(from, (after) => !behind || after === at)
    })
    if (negative || !found) restore()
    if (found === negative) return false
    if (next(at)) return true
    restore()
    return false
  }
}

function repeat({ of, min, max, mode }: Item & { kind: 'repeat' }, run: Run): Step {
  if (of.kind === 'set') return repeatSet(of.has, { min, max, mode }, run)
  const inner = compile(of, run)
  const canBeEmpty = widthOf(of).min === 0
  const again = (count: number, at: number, next: Next): boolean => {
    spend(run)
    if (++run.depth > deepest) throw new TooMuch()
    try {
      const more = () =>
        count < max && inner(at, (after) => (canBeEmpty && after === at && count >= min ? next(after) : again(count + 1, after, next)))
      if (count < min) return more()
      return mode === 'lazy' ? next(at) || more() : more() || next(at)
    } finally {
      run.depth--
    }
  }
  const loop: Step = (at, next) => again(0, at, next)
  return mode === 'possessive' ? atomically(loop, run) : loop
}

function repeatSet(has: Uint8Array, { min, max, mode }: Pick<Item & { kind: 'repeat' }, 'min' | 'max' | 'mode'>, run: Run): Step {
  const { text } = run
  return (at, next) => {
    const most = Math.min(max, text.length - at)
    let count = 0
    const take = () => {
      spend(run)
      return count < most && has[text.charCodeAt(at + count)] === 1 && ++count > 0
    }
    if (mode === 'lazy') {
      while (count < min) if (!take()) return false
      for (;;) {
        if (next(at + count)) return true
        if (!take()) return false
      }
    }
    while (take());
    if (count < min) return false
    if (mode === 'possessive') return next(at + count)
    for (; count >= min; count--) if (next(at + count)) return true
    return false
  }
}
