import type { MessagePattern } from './pattern.ts'

const units = 'sizes are whole numbers with k, m or g, times with ms, s, m, h or d'

/** What the reader of configuration files says: of names, places, arguments and brackets. */
export const syntaxMessages: readonly MessagePattern[] = [
  {
    code: 'unknown_directive',
    pattern: /^unknown directive "([^"]*)"/,
    cause: '"$1" is no directive that this nginx knows: it is misspelled, newer than this nginx, or of a module that is not loaded here',
    fix: 'correct the name, take it away, or update nginx or install its module on the host',
  },
  {
    code: 'misplaced_directive',
    pattern: /^"([^"]+)" directive is not allowed here/,
    cause: '"$1" may not stand in this place, only in other blocks',
    fix: 'move it to where its documentation allows it: the settings, the virtual host or a location',
  },
  {
    code: 'argument_count',
    pattern: /^invalid number of arguments in "([^"]+)" directive/,
    cause: '"$1" has too many or too few arguments; one with spaces in it counts as several unless it stands in quotes',
    fix: 'give it the arguments that its documentation names, and put those with spaces into quotes',
  },
  {
    code: 'unterminated_directive',
    pattern: /^directive "([^]*)" is not terminated by ";"/,
    cause: '"$1" takes no block, and a "{" follows it: the ";" behind it is missing, or the block belongs to something else',
    fix: 'end the directive with ";", or take the block away',
  },
  {
    code: 'missing_block',
    pattern: /^directive "([^]*)" has no opening "\{"/,
    cause: '"$1" begins a block, and its "{" is missing',
    fix: 'write its block in braces',
  },
  {
    code: 'unexpected_end',
    pattern: /^unexpected end of (file|parameter), expecting/,
    cause: 'the text ends in the middle: a "}", a ";" or a closing quote is missing before',
    fix: 'close what is open; each "{" needs its "}"',
  },
  {
    code: 'unbalanced_quote',
    pattern: /^too long parameter/,
    cause: 'an argument of more than 4096 bytes: mostly a quote that is not closed, so that what follows is taken into it',
    fix: 'close the quote, or make the argument shorter',
  },
  {
    code: 'unexpected_character',
    pattern: /^unexpected "([{};]|.)"$/,
    cause:
      '"$1" stands where nothing like it can: one "}" too many, a directive without its ";" before a "}", a ";" without a directive, or a character after a closing quote',
    fix: 'take it away, or put the argument that it is part of into quotes',
  },
  {
    code: 'mutually_exclusive',
    pattern: /^"([^"]+)" directive is duplicate, "([^"]+)" directive was specified earlier/,
    cause: '"$1" and "$2" do the same thing in two ways, and both stand here',
    fix: 'keep one of the two',
  },
  {
    code: 'duplicate_directive',
    pattern: /^"([^"]+)" directive is duplicate|^(?:parameter|the) "([^"]+)" (?:parameter )?is duplicate/,
    cause: 'it stands twice in one block, and may only once; an option may have written it already',
    fix: 'keep one of the two',
  },
  {
    code: 'not_on_or_off',
    pattern: /^invalid value "(.*)" in "([^"]+)" directive, it must be "on" or "off"/,
    cause: '"$2" takes nothing but on and off',
    fix: 'write on or off',
  },
  {
    code: 'invalid_number',
    pattern: /^"([^"]+)" directive invalid number|^invalid number "(.*)"|^invalid compression level/,
    cause: 'a whole number is wanted here',
    fix: 'write a whole number without a unit',
  },
  {
    code: 'invalid_value',
    pattern:
      /^"([^"]+)" directive invalid value|^invalid value "(.*)"|^invalid (?:burst|delay|inactive|flush time|status|percent|method|buffer size|size) (?:value )?"/,
    cause: 'the value is none that this directive takes, or has a unit that it does not know',
    fix: `write one of the values that its documentation names; ${units}`,
  },
  {
    code: 'out_of_range',
    pattern:
      /^value must be |^value "(.*)" must be between|^"[^"]+" directive (?:value )?must be |^the pool size must be|^must be a power of two/,
    cause: 'the value is too small, too large or not of the kind that is wanted',
    fix: 'choose a value in the range that the message names',
  },
  {
    code: 'deprecated',
    pattern: /^the "([^]*?)" (?:directive|parameter) is (?:deprecated|obsolete)/,
    cause: '"$1" still works on this nginx and will be gone in a later one',
    fix: 'use what the message names instead',
  },
  {
    code: 'incompatible_options',
    pattern:
      /^"[^"]+" (?:directive |parameter )?is incompatible with|^conflicting parameter "([^"]+)"|^"[^"]+" cannot be (?:mixed|used) with/,
    cause: 'two options stand together that exclude each other, or one is given twice',
    fix: 'take one of the two away',
  },
  {
    code: 'invalid_parameter',
    pattern: /^invalid parameter:? "?([^"]*)"?|^unknown parameter "(.*)"|^invalid "([^"]+)" parameter/,
    cause: 'this nginx does not know "$1" here: it is misspelled, or came with a later version',
    fix: 'correct it, take it away, or update nginx on the host',
  },
]
