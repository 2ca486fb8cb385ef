import type { MessagePattern } from './pattern.ts'

/** Shared memory, hash tables, buffers and logs. */
export const zoneMessages: readonly MessagePattern[] = [
  {
    code: 'unknown_zone',
    pattern: /^zero size shared memory zone "(.*)"|^"(?:\w+_cache)" zone "(.*)" is unknown|^unknown (?:limit_\w+_zone|zone) "(.*)"/,
    cause: 'a zone is used that nothing defines',
    fix: 'define it in the settings with limit_req_zone, limit_conn_zone or proxy_cache_path, or correct the name',
  },
  {
    code: 'zone_changed',
    pattern:
      /^(?:limit_req|limit_conn|cache|sticky zone) "(.*?)" (?:uses the .* (?:key|cache path) while previously|had previously different levels|is used in upstream)/,
    cause: 'the zone "$1" of the running nginx has another key or path, and zones keep theirs as long as nginx runs',
    fix: 'give the changed zone another name',
  },
  {
    code: 'zone_conflict',
    pattern:
      /^the (?:shared memory zone "(.*)" is already declared for a different use|size \d+ of shared memory zone "(.*)" conflicts)|^duplicate zone|^\w+ "(.*)" is already bound to key/,
    cause: 'one zone is defined twice, with another size, key or use',
    fix: 'keep one definition, or rename one of the two',
  },
  {
    code: 'invalid_zone',
    pattern:
      /^(?:invalid zone (?:size|name)|invalid keys zone size|zone|keys zone|session cache) "(.*)"(?: is too small)?|^"(.*)" must have "(?:zone|keys_zone)" parameter/,
    cause: 'a zone is written as name:size, and needs at least eight pages of memory',
    fix: 'write zone=name:size, with a size of 1m or more',
  },
  {
    code: 'invalid_rate',
    pattern: /^invalid rate "(.*)"/,
    cause: 'a rate is a whole number of requests a second or a minute',
    fix: 'write 10r/s, or 30r/m for less than one a second',
  },
  {
    code: 'hash_too_small',
    pattern: /^could not build (?:the )?(\w+)(?:_hash)?, (?:you should increase|too large) (\w+?)_(?:hash_)?(?:bucket|max)_size: (\d+)/,
    cause: 'a name is longer than the hash table takes, or there are more of them: the limit is $3',
    fix: 'take hash sizes out of the settings, where they are worked out; or double $2_hash_bucket_size in the host’s nginx.conf',
  },
  {
    code: 'hash_not_optimal',
    pattern: /^could not build optimal (\w+), you should increase either (\w+): (\d+)/,
    cause: 'there are many names for the size of the hash table, which makes looking them up slower and nothing worse',
    fix: 'double $2',
  },
  {
    code: 'duplicate_map_key',
    pattern: /^duplicate (?:default (?:map|geo range|geo)|network|range) |^conflicting parameter "/,
    cause: 'a block of map or geo has one key twice',
    fix: 'take one of the two away',
  },
  {
    code: 'duplicate_media_type',
    pattern: /^duplicate (?:MIME type|extension) "(.*?)"/,
    cause: '"$1" is named twice; the last one counts',
    fix: 'take one of the two away: text/html is always among the types of gzip and the like',
  },
  {
    code: 'buffer_sizes',
    pattern: /^"(\w+?)_(?:busy_buffers_size|temp_file_write_size|max_temp_file_size)" must be|^there must be at least 2 "(\w+)_buffers"/,
    cause: 'the sizes of buffers depend on each other, and one was changed alone',
    fix: 'set $1_buffer_size, $1_buffers and $1_busy_buffers_size together, as 16k, "8 16k" and 32k',
  },
  {
    code: 'unknown_log_format',
    pattern: /^unknown log format "(.*)"/,
    cause: 'no log_format is named "$1"',
    fix: 'define it in the settings, or use combined',
  },
  {
    code: 'duplicate_log_format',
    pattern: /^duplicate "log_format" name "(.*)"/,
    cause: 'a log_format named "$1" is there already; combined is nginx’s own',
    fix: 'choose another name',
  },
  {
    code: 'missing_companion',
    pattern: /^no "(\w+)" for "(\w+)"|^"(?:\w+)" must have (?:the )?"(\w+)" parameter|^no buffer is defined for access_log/,
    cause: 'one directive needs another beside it',
    fix: 'add what the message names',
  },
]
