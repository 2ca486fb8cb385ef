/** The content of a file that comes with nginx or with what writes its configuration, for where only the rest of a tree is at hand. */
export interface UsualFile {
  text: string
  /** Whose it is, as the end of a sentence. */
  whose: string
}

const request = [
  'QUERY_STRING $query_string',
  'REQUEST_METHOD $request_method',
  'CONTENT_TYPE $content_type',
  'REQUEST_URI $request_uri',
  'DOCUMENT_ROOT $document_root',
  'SERVER_PROTOCOL $server_protocol',
  'REQUEST_SCHEME $scheme',
  'HTTPS $https if_not_empty',
  'REMOTE_ADDR $remote_addr',
  'REMOTE_PORT $remote_port',
  'SERVER_PORT $server_port',
  'SERVER_NAME $server_name',
]
const cgi = ['SCRIPT_NAME $fastcgi_script_name', 'GATEWAY_INTERFACE CGI/1.1', 'SERVER_SOFTWARE nginx/$nginx_version']
const length = 'CONTENT_LENGTH $content_length'
const fastcgi = [
  ...request,
  length,
  'DOCUMENT_URI $document_uri',
  ...cgi,
  'REMOTE_USER $remote_user',
  'SERVER_ADDR $server_addr',
  'REDIRECT_STATUS 200',
]
const fastcgiConf = [...fastcgi, 'SCRIPT_FILENAME $document_root$fastcgi_script_name']

const parameters = (kind: string, all: readonly string[]) => all.map((each) => `${kind}_param ${each};\n`).join('')
const nginxOwn = (text: string): UsualFile => ({ text, whose: "nginx's own stands in for it" })
const debian = (text: string): UsualFile => ({ text, whose: "Debian's stands in for it" })

const phpSnippet = `fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
try_files $fastcgi_script_name =404;
set $path_info $fastcgi_path_info;
fastcgi_param PATH_INFO $path_info;
fastcgi_index index.php;
include fastcgi.conf;
`

// Source: the folder conf of nginx; Debian's package nginx-common; certbot's plugin for nginx.
const files: Readonly<Record<string, UsualFile>> = {
  fastcgi_params: nginxOwn(parameters('fastcgi', fastcgi)),
  'fastcgi.conf': nginxOwn(parameters('fastcgi', fastcgiConf)),
  uwsgi_params: nginxOwn(parameters('uwsgi', [...request, length, 'PATH_INFO $document_uri'])),
  scgi_params: nginxOwn(parameters('scgi', [...request, 'DOCUMENT_URI $document_uri', 'SCGI 1'])),
  'snippets/fastcgi-php.conf': debian(phpSnippet),
  proxy_params: debian(
    ['Host $http_host', 'X-Real-IP $remote_addr', 'X-Forwarded-For $proxy_add_x_forwarded_for', 'X-Forwarded-Proto $scheme']
      .map((each) => `proxy_set_header ${each};\n`)
      .join(''),
  ),
}

const certbot: UsualFile = { text: '', whose: 'NxMesh has settings of TLS itself' }

/** The folders in which packages have the configuration of nginx. Elsewhere a file of the same name may say anything. */
const folders = /^(\/etc\/nginx|\/usr\/local\/(etc\/nginx|nginx\/conf)|\/opt\/homebrew\/etc\/nginx)\//

/** What stands in for a file that is included and missing; undefined where nobody can know. */
export function usualFile(path: string): UsualFile | undefined {
  if (path === '/etc/letsencrypt/options-ssl-nginx.conf') return certbot
  const name = folders.test(path) ? path.replace(folders, '') : ''
  return Object.hasOwn(files, name) ? files[name] : undefined
}
