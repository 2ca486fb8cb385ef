import type { MessagePattern } from './pattern.ts'

/** Files, users, modules and limits of the host. */
export const hostMessages: readonly MessagePattern[] = [
  {
    code: 'error_log_not_opened',
    pattern: /^could not open error log file: open\(\) "(.*)" failed/,
    cause: 'nginx opens the log that it was built with before it reads its configuration, and this user may not; it goes on without it',
    fix: 'nothing has to be done: the log of the configuration is used',
  },
  {
    code: 'no_space',
    pattern: /\(28: No space left on device\)/,
    cause: 'the disk is full, or has no inodes left',
    fix: 'make room: old logs and caches first',
  },
  {
    code: 'too_many_files',
    pattern: /\(24: Too many open files\)|^accept4?\(\) failed \(2[34]:/,
    cause: 'nginx has as many files and connections open as it may; a configuration that includes itself ends so, too',
    fix: 'set worker_rlimit_nofile in the settings, and LimitNOFILE of the service for the master process',
  },
  {
    code: 'missing_folder',
    pattern: /^(?:open\(\)|mkdir\(\)|opendir\(\)) "(.*\/)[^/]*" failed \(2: No such file or directory\)$/,
    cause: 'a file or folder of "$1" is not on this host',
    fix: 'create it on the host, or correct the path',
  },
  {
    code: 'read_only',
    pattern: /\(30: Read-only file system\)/,
    cause: 'the folder cannot be written to: it is mounted read-only, or the service is confined (ProtectSystem of systemd)',
    fix: 'choose another folder, or allow it with ReadWritePaths',
  },
  {
    code: 'file_not_permitted',
    pattern: /^(?:open|mkdir|opendir|stat|chown|unlink|rename|realpath)\(\) "(.*)" failed \((?:13|1): /,
    cause: 'the user of nginx may not reach "$1": its own rights, those of the folders above it, SELinux or AppArmor forbid it',
    fix: 'give the user of nginx the right to it and to search the folders above it',
  },
  {
    code: 'unknown_user',
    pattern: /^get(pw|gr)nam\("(.*)"\) failed/,
    cause: 'this host has no user or group "$2"',
    fix: 'create it, or name one that is there',
  },
  {
    code: 'user_ignored',
    pattern: /^the "user" directive makes sense only if the master process runs with super-user privileges, ignored/,
    cause: 'nginx is not started as root, so its workers run as who started it',
    fix: 'nothing has to be done, or take "user" away',
  },
  {
    code: 'no_events',
    pattern: /^no "events" section in configuration/,
    cause: 'the file is no whole configuration of nginx',
    fix: 'add "events {}"',
  },
  {
    code: 'module_mismatch',
    pattern: /^module "(.*?)" (?:version \d+ instead of \d+|is not binary compatible)/,
    cause: 'the module "$1" was built for another nginx: one of the two was updated alone',
    fix: 'install both from the same release',
  },
  {
    code: 'module_missing',
    pattern: /^dlopen\(\) "(.*?)" failed/,
    cause: 'the module "$1" is not on this host, or needs a library that is not',
    fix: 'install the package of the module',
  },
  {
    code: 'module_twice',
    pattern: /^module "(.*)" is already loaded|^"load_module" directive is specified too late/,
    cause: 'modules are loaded once, and before the first block of the configuration',
    fix: 'move load_module to the beginning of nginx.conf, and keep one for each module',
  },
  {
    code: 'connection_limit',
    pattern: /^(\d+) worker_connections exceed open file resource limit: (\d+)/,
    cause: 'a worker may have $1 connections and only $2 open files, and each connection needs at least one',
    fix: 'set worker_rlimit_nofile to twice worker_connections',
  },
  {
    code: 'connections_exhausted',
    pattern: /^(?:\d+ )?worker_connections are not enough/,
    cause: 'a worker has as many connections as it may, those to upstreams included: clients wait or are turned away',
    fix: 'raise worker_connections in the settings, and worker_rlimit_nofile with it',
  },
  {
    code: 'limit_not_set',
    pattern: /^setrlimit\(RLIMIT_(\w+), -?\d+\) failed/,
    cause: 'the service may not raise this limit',
    fix: 'raise LimitNOFILE of the service, or lower the setting',
  },
  {
    code: 'pid_file',
    pattern: /^invalid PID number "(.*)" in "(.*)"/,
    cause: 'the pid file "$2" holds no process id: nginx is not running, or a test has emptied the file',
    fix: 'start nginx; it writes the file anew',
  },
  {
    code: 'worker_crashed',
    pattern: /^worker process \d+ exited on signal (\d+)/,
    cause: 'a worker was ended by signal $1: 9 mostly by the kernel for want of memory, 11 by a fault in nginx or a module',
    fix: 'look for "Out of memory" in the log of the kernel; otherwise update nginx and its modules',
  },
]
