/** A place in one of the files that are read. Line and column count from 1. */
export interface Place {
  file: string
  line: number
  column: number
}

/** A directive with the place that it comes from; those of included files stand where the `include` stood. */
export interface SourceDirective extends Place {
  name: string
  args: string[]
  /** The directive as it is written, but for spaces and comments, without its block or final `;`. */
  head: string
  block?: SourceDirective[]
  /** The source of another language in its braces. */
  lua?: string
}

/** An `include` and the files that it stands for, in the order in which they are read. */
export interface Include extends Place {
  pattern: string
  files: string[]
  /** Whether all of them were read; else the `include` is among the directives, too. */
  whole: boolean
}
