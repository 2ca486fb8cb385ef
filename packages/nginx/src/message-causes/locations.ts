import type { MessagePattern } from './pattern.ts'

/** Locations, and what answers in them. */
export const locationMessages: readonly MessagePattern[] = [
  {
    code: 'duplicate_location',
    pattern: /^duplicate location "(.*)"/,
    cause: 'two locations of this virtual host are the same to nginx: "/a" and "^~ /a" collide, "= /a" and "/a" do not',
    fix: 'take one of the two away',
  },
  {
    code: 'misplaced_location',
    pattern: /^location "(.*)" (?:is outside location|cannot be inside the)|^named location "(.*)" can be on the server level only/,
    cause: 'a location inside another has to begin with what that one begins with, and none can stand inside an exact or named one',
    fix: 'put it beside the other instead of into it',
  },
  {
    code: 'invalid_location',
    pattern: /^invalid location modifier "(.*)"/,
    cause: '"$1" is none of =, ^~, ~, ~* and @',
    fix: 'use one of these, or none for a prefix',
  },
  {
    code: 'proxy_pass_uri',
    pattern: /^"([a-z]+_pass)" cannot have URI part in location given by regular expression/,
    cause: 'nginx replaces the part of the URI that a prefix matched; here nothing says which part that is',
    fix: 'leave the path of the address out, even a final "/", and change the URI with a rewrite rule',
  },
  {
    code: 'alias_in_named_location',
    pattern: /^the "alias" directive cannot be used inside the named location/,
    cause: 'a named location has no path that the alias could stand for',
    fix: 'use root',
  },
  {
    code: 'alias_after_rewrite',
    pattern: /^"alias" cannot be used in location "(.*)" where URI was rewritten/,
    cause: 'the rewritten URI no longer begins as the location does, so there is nothing to replace',
    fix: 'use root, or end the rewrite with "last"',
  },
  {
    code: 'invalid_return',
    pattern: /^invalid return code "(.*)"|^invalid code "(.*)"/,
    cause: 'a status is a number from 0 to 999; a text or address alone has to begin with http://, https:// or $scheme',
    fix: 'write the status first: 301 for what has moved for good, 302 for now',
  },
  {
    code: 'unknown_named_location',
    pattern: /^could not find named location "(.*)"/,
    cause: 'error_page or try_files leads to "$1", which this virtual host does not have',
    fix: 'add the location, or lead to one that is there',
  },
  {
    code: 'redirection_cycle',
    pattern: /^rewrite or internal redirection cycle/,
    cause: 'a rewrite rule, try_files, index or error_page leads back to where it began, ten times over: the client got 500',
    fix: 'let the rule not match its own result, or end it with "break"; end try_files in =404',
  },
  {
    code: 'invalid_url',
    pattern: /^invalid URL prefix/,
    cause: 'the address does not begin with http:// or https://, or the variable that it is made of was empty',
    fix: 'begin it with http:// or https://',
  },
  {
    code: 'redirect_default',
    pattern: /^"proxy_redirect default" /,
    cause: 'the default of proxy_redirect follows from an address without variables that stands before it',
    fix: 'say from what to what, or leave proxy_redirect out',
  },
]
