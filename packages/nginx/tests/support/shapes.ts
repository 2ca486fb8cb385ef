/** Configurations as people have them, each a tree of files by path below the folder of nginx.conf. */
export type Shape = Record<string, string>

/** Where the files that nginx writes go, as the tests run beside each other. */
const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `    ${kind}_temp_path t_${kind};`).join('\n')

const main = (http: string, before = '') => `${before}user root;
worker_processes auto;
pid nginx.pid;
error_log stderr warn;

events {
    worker_connections 768;
    # multi_accept on;
}

http {
${temporary}
${http}
}
`

const fastcgiParams = `
fastcgi_param  QUERY_STRING       $query_string;
fastcgi_param  REQUEST_METHOD     $request_method;
fastcgi_param  CONTENT_TYPE       $content_type;
fastcgi_param  CONTENT_LENGTH     $content_length;

fastcgi_param  SCRIPT_NAME        $fastcgi_script_name;
fastcgi_param  REQUEST_URI        $request_uri;
fastcgi_param  DOCUMENT_ROOT      $document_root;
fastcgi_param  SERVER_PROTOCOL    $server_protocol;
fastcgi_param  HTTPS              $https if_not_empty;
fastcgi_param  REMOTE_ADDR        $remote_addr;
fastcgi_param  SERVER_NAME        $server_name;

# PHP only, required if PHP was built with --enable-force-cgi-redirect
fastcgi_param  REDIRECT_STATUS    200;
`

const mimeTypes = `types {
    text/html                             html htm shtml;
    text/css                              css;
    image/jpeg                            jpeg jpg;
    application/javascript                js;
    application/x-own                     own mine;
}
`

export const shapes: Record<string, Shape> = {
  'a WordPress with FastCGI': {
    'nginx.conf': main(`
    include mime.types;
    default_type application/octet-stream;
    sendfile on;
    client_max_body_size 64m;
    gzip on;
    gzip_types text/css application/javascript;
    upstream php {
        server unix:/run/php/php8.2-fpm.sock;
        server 127.0.0.1:9000 backup;
    }
    include sites/*.conf;`),
    'mime.types': mimeTypes,
    fastcgi_params: fastcgiParams,
    'global/restrictions.conf': `
location = /favicon.ico { log_not_found off; access_log off; }
location = /robots.txt  { allow all; log_not_found off; access_log off; }
# Deny all attempts to access hidden files
location ~ /\\. { deny all; }
location ~* /(?:uploads|files)/.*\\.php$ { deny all; }
`,
    'global/wordpress.conf': `
location / { try_files $uri $uri/ /index.php?$args; }
rewrite /wp-admin$ $scheme://$host$request_uri/ permanent;
location ~* ^.+\\.(ogg|ogv|svg|svgz|eot|otf|woff|mp4|ttf|rss|atom|jpg|jpeg|gif|png|ico|zip|tgz)$ {
    access_log off; log_not_found off; expires max;
}
location ~ [^/]\\.php(/|$) {
    fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
    if (!-f $document_root$fastcgi_script_name) { return 404; }
    include fastcgi_params;
    fastcgi_index index.php;
    fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
    fastcgi_pass php;
}
`,
    'sites/blog.conf': `
server {
    listen 8080;
    listen [::]:8080;
    server_name www.blog.example;
    return 301 $scheme://blog.example$request_uri;
}
server {
    listen 8080 default_server;
    server_name blog.example *.blog.example;
    root /var/www/blog;
    index index.php index.html;
    access_log /var/log/nginx/blog.access.log;
    error_page 404 /404.html;
    error_page 500 502 503 504 /50x.html;
    set $skip_cache 0;
    if ($request_method = POST) { set $skip_cache 1; }
    if ($http_cookie ~* "comment_author|wordpress_[a-f0-9]+|wp-postpass") {
        set $skip_cache 1;
    }
    include global/restrictions.conf;
    include global/wordpress.conf;
}
`,
  },

  'reverse proxies': {
    'nginx.conf': main(
      `
    default_type application/octet-stream;
    log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                    '$status $body_bytes_sent "$http_referer"';
    access_log access.log main;
    keepalive_timeout 65;
    map $http_upgrade $connection_upgrade {
        default upgrade;
        ''      close;
    }
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    include conf.d/*.conf;`,
    ),
    'conf.d/10-upstreams.conf': `
upstream app {
    least_conn;
    server 10.0.0.1:8080 weight=3 max_fails=2 fail_timeout=30;
    server 10.0.0.2:8080;
    server 10.0.0.3:8080 backup;
    keepalive 16;
}
upstream grafana { server 127.0.0.1:3000; }
upstream hashed {
    hash $request_uri consistent;
    server 10.0.1.1:80;
    server 10.0.1.2:80;
}
`,
    'conf.d/app.conf': `
server {
    listen 8081;
    server_name app.example;
    proxy_http_version 1.1;
    location / {
        proxy_pass http://app;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
    }
    location /api/ {
        proxy_pass http://app/v1/;
        proxy_read_timeout 300s;
        proxy_buffering off;
    }
    location /ws {
        proxy_pass http://app;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
    }
    location = /health { return 200 "ok\\n"; }
    location /static/ { alias /srv/static/; expires 30d; add_header Cache-Control "public, immutable"; }
}
`,
    'conf.d/grafana.conf': `
server {
    listen 8081;
    server_name grafana.example;
    location / { proxy_pass http://grafana; proxy_set_header Authorization ""; }
    location /hashed { proxy_pass http://hashed; }
    location /raw { proxy_pass http://10.0.0.9:9000; proxy_redirect off; proxy_hide_header X-Powered-By; }
    location /nginx_status { stub_status; allow 127.0.0.1; deny all; }
}
`,
  },

  'TLS sites': {
    'nginx.conf': main(`
    include snippets/ssl-params.conf;
    server_names_hash_bucket_size 128;
    include sites-enabled/*;`),
    'snippets/ssl-params.conf': `
ssl_protocols TLSv1.2 TLSv1.3;
ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256;
ssl_prefer_server_ciphers off;
ssl_session_cache shared:SSL:10m;
ssl_session_timeout 1d;
`,
    'snippets/hsts.conf': 'add_header Strict-Transport-Security "max-age=63072000" always;\n',
    'sites-enabled/000-default': `
server {
    listen 8082 default_server;
    server_name _;
    return 444;
}
`,
    'sites-enabled/example': `
server {
    listen 8082;
    server_name example.com www.example.com;
    location /.well-known/acme-challenge/ { root /var/www/letsencrypt; }
    location / { return 301 https://$host$request_uri; }
}
server {
    listen 8443 ssl http2;
    listen [::]:8443 ssl http2;
    server_name example.com www.example.com;
    ssl_certificate certs/example.pem;
    ssl_certificate_key certs/example.key;
    include snippets/hsts.conf;
    root /var/www/example;
    location / { try_files $uri =404; }
    location /secure { add_header X-Frame-Options DENY; auth_basic "closed area"; auth_basic_user_file /etc/nginx/htpasswd; }
}
`,
    'sites-enabled/shop': `
server {
    listen 8082;
    listen 8443 ssl;
    server_name shop.example.com;
    ssl_certificate certs/example.pem;
    ssl_certificate_key certs/example.key;
    ssl_verify_depth 2;
    location / { proxy_pass http://127.0.0.1:8099; proxy_set_header X-Real-IP $remote_addr; }
}
`,
  },

  'maps, limits and caches': {
    'nginx.conf': main(`
    map_hash_bucket_size 128;
    map $host $backend_name {
        hostnames;
        default     fallback;
        *.example.com example;
        ~^(?<sub>.+)\\.wild\\.example$ "wild-\${sub}";
        include maps/hosts;
    }
    geo $limited { default 1; 10.0.0.0/8 0; 192.168.0.0/16 0; }
    map $limited $limit_key { 0 ""; 1 $binary_remote_addr; }
    limit_req_zone $limit_key zone=perip:10m rate=30r/m;
    limit_conn_zone $binary_remote_addr zone=addr:10m;
    split_clients "\${remote_addr}AAA" $variant { 50% a; * b; }
    proxy_cache_path cache levels=1:2 keys_zone=store:10m max_size=10g inactive=60m use_temp_path=off;
    server {
        listen 8083;
        server_name api.example.com;
        limit_req zone=perip burst=20 nodelay;
        limit_conn addr 10;
        location / {
            set $target "http://127.0.0.1:8098";
            proxy_pass $target$request_uri;
            proxy_cache store;
            proxy_cache_valid 200 302 10m;
            proxy_cache_valid 404 1m;
            proxy_cache_key $scheme$proxy_host$request_uri;
            add_header X-Cache-Status $upstream_cache_status;
            add_header X-Variant $variant;
        }
        location ~ "^/v\\d{1,2}/(?<rest>.*)$" { return 302 /api/$rest; }
    }`),
    'maps/hosts': 'static.example.org static;\n"odd name" odd; # comment\n',
  },

  'an old site full of rewrites': {
    'nginx.conf': main(
      `
    server {
        listen 8084;
        server_name old.example "~^(www\\.)?(?<domain>.+)\\.old\\.example$";
        root /srv/old;
        charset utf-8;
        if ($host = 'www.old.example') { rewrite ^/(.*)$ http://old.example/$1 permanent; }
        rewrite ^/news/([0-9]+)$ /index.php?id=$1 last;
        location / {
            if (-e $request_filename) { break; }
            rewrite ^/(.*)$ /index.php?q=$1 last;
        }
        location /img/ {
            location ~* \\.(jpg|png)$ { expires 7d; add_header X-Kind image; }
            location ~* \\.php$ { deny all; }
            valid_referers none blocked server_names *.old.example;
            if ($invalid_referer) { return 403; }
        }
        location ^~ /download/ { internal; limit_rate 500k; limit_rate_after 1m; }
        location @fallback { proxy_pass http://127.0.0.1:8097; }
        location /app { error_page 404 = @fallback; try_files $uri @fallback; }
        location ~* ^/a%20b { return 204; }
        location "/with space" { return 200 'it''; }
        location /percent%2Fpath { return 200 "a;b{c}"; }
        location = /x { rewrite ^ /y break; rewrite ^/y /z; return 403; }
        location /methods { limit_except GET HEAD { allow 10.0.0.0/8; deny all; } allow 192.168.0.0/16; deny all; allow 10.0.0.0/8; }
    }`.replace("'it''", `"it's"`),
    ),
  },

  'a shop with values over several lines': {
    'nginx.conf': main(String.raw`
    map $http_user_agent $odd { "~\n" "a\nb"; default ""; }
    server {
        listen 8085;
        server_name shop.example;
        root /srv/shop;
        set $policy "default-src 'self';
            img-src *";
        if ($args ~* "[\r\n]") { return 400; }
        location ~ ^/setup/.+\.php$ {
            fastcgi_pass 127.0.0.1:9000;
            fastcgi_param PHP_FLAG "session.auto_start=off \n display_errors=off";
            fastcgi_param PHP_VALUE "memory_limit=756M
                max_execution_time=600";
        }
        location /policies/ {
            add_header Content-Security-Policy $policy;
            location /policies/own/ {
                add_header Content-Security-Policy "default-src 'none';
                    img-src 'self'" always;
            }
        }
        location = /robots.txt { return 200 "User-agent: *
Disallow: /
"; }
    }`),
  },
}
