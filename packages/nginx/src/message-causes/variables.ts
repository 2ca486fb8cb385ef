import type { MessagePattern } from './pattern.ts'

/** Variables, regular expressions and conditions. */
export const variableMessages: readonly MessagePattern[] = [
  {
    code: 'unknown_variable',
    pattern: /^unknown "([^"]*)" variable/,
    cause:
      'nothing defines $$1: neither nginx, nor a "set" or "map", nor a group with that name; one that stood in another virtual host may have gone with it',
    fix: 'define it with "set" here or with "map" in the settings, or correct the name',
  },
  {
    code: 'invalid_variable_name',
    pattern: /^invalid variable name|^the closing bracket in "(.*)" variable is missing/,
    cause: 'a "$" is not followed by the name of a variable, or a "${" is not closed',
    fix: 'write $name or ${name}, of letters, digits and "_"',
  },
  {
    code: 'fixed_variable',
    pattern: /^the duplicate "([^"]*)" variable/,
    cause: '$$1 is a variable of nginx itself and cannot be set',
    fix: 'choose another name',
  },
  {
    code: 'unusable_variable',
    pattern: /^the \$(document_root|realpath_root) variable cannot be used in/,
    cause: '$$1 is made of this very directive',
    fix: 'write the folder out',
  },
  {
    code: 'uninitialized_variable',
    pattern: /^using uninitialized "([^"]*)" variable/,
    cause: '$$1 was read before anything had set it, so it is empty: the "set" or the "if" that sets it was not reached',
    fix: 'set it at the beginning of the virtual host',
  },
  {
    code: 'variable_cycle',
    pattern: /^cycle while evaluating variable "([^"]*)"/,
    cause: '$$1 is made of itself, through "map" or "set"',
    fix: 'let one of them begin with a variable of the request',
  },
  {
    code: 'invalid_regex',
    pattern: /^pcre2?_compile\(\) failed: (.+?) in "([^]*?)"(?: at "([^]*)")?$/,
    cause: 'the regular expression "$2" cannot be read: $1',
    fix: 'close its groups and classes, and put a backslash before characters that are meant as they are',
  },
  {
    code: 'empty_regex',
    pattern: /^empty regex in /,
    cause: 'a "~" stands there without a regular expression behind it',
    fix: 'write one, or take the "~" away',
  },
  {
    code: 'regex_limit',
    pattern: /^pcre2?_(?:exec|match)\(\) failed: -?\d+ on/,
    cause: 'a regular expression took too many steps on this text and was given up',
    fix: 'make it simpler: no repetition inside of a repetition',
  },
  {
    code: 'invalid_condition',
    pattern: /^invalid condition "(.*)"|^unexpected "(.*)" in condition|^the "if" command inside the "if"/,
    cause: 'the condition of an "if" compares one variable with =, !=, ~, ~*, or asks -f, -d, -e, -x: there is no ==, && or ||',
    fix: 'compare one variable, and join several conditions in a "map"',
  },
  {
    code: 'missing_group',
    pattern: /^pattern "(.*)" must have (\d) captures/,
    cause: 'the regular expression has fewer groups than are used',
    fix: 'add the groups, or use fewer',
  },
]
