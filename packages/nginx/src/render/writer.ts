import type { Finding } from '@nxmesh/model/agent'

/** The object and field that a rendered line comes from. */
export interface LineSource {
  kind: NonNullable<Finding['kind']>
  id?: string
  name?: string
  field?: string
}

/** Collects the lines of one file together with where each comes from. */
export class ConfigWriter {
  #text = ''
  #lines = 0
  readonly #starts: number[] = [1]
  readonly #sources: (LineSource | undefined)[] = [undefined]

  /** The lines written from here on come from this source. */
  from(source: LineSource | undefined): void {
    const last = this.#starts.length - 1
    const line = this.#lines + 1
    if (this.#starts[last] === line) this.#sources[last] = source
    else {
      this.#starts.push(line)
      this.#sources.push(source)
    }
  }

  /** Writes one line. */
  line(text: string): void {
    this.#text += `${text}\n`
    this.#lines++
  }

  /** Writes text that may hold line breaks of its own. */
  lines(text: string): void {
    this.line(text)
    if (text.includes('\n')) this.#lines += text.split('\n').length - 1
  }

  get text(): string {
    return this.#text
  }

  /** Where a line, counted from 1, comes from. */
  sourceOf(line: number): LineSource | undefined {
    if (line > this.#lines) return undefined
    let low = 0
    let high = this.#starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#starts[middle]! <= line) low = middle
      else high = middle - 1
    }
    return this.#sources[low]
  }
}
