import type { MessagePattern } from './pattern.ts'

const renew = 'upload it again, or have it issued anew'

/** Certificates, keys and what TLS needs. */
export const tlsMessages: readonly MessagePattern[] = [
  {
    code: 'certificate_missing',
    pattern:
      /^(?:cannot load certificate|cannot load certificate key) "(.*?)": (?:BIO_new_file|BIO_new)\(\) failed .*(?:No such file|no such file)/s,
    cause: 'the file "$1" is not on this host',
    fix: 'put the file there, or choose another certificate',
  },
  {
    code: 'certificate_unreadable',
    pattern: /^cannot load certificate(?: key)? "(.*?)": (?:BIO_new_file|BIO_new)\(\) failed .*Permission denied/s,
    cause: 'the user that nginx is started as may not read "$1"',
    fix: 'let that user read it, and search the folders above it',
  },
  {
    code: 'encrypted_key',
    pattern:
      /^cannot load certificate key "(.*?)": .*(?:bad decrypt|bad password|problems getting password|interrupted or cancelled|processing error)/s,
    cause: 'the private key in "$1" is protected by a password that nginx does not have',
    fix: 'upload the key without a password (openssl pkey -in KEY -out NEW)',
  },
  {
    code: 'invalid_key',
    pattern: /^cannot load certificate key "(.*?)"/,
    cause: 'what is in "$1" is no private key in PEM',
    fix: renew,
  },
  {
    code: 'invalid_certificate',
    pattern: /^cannot load certificate "(.*?)"/,
    cause: 'what is in "$1" is no certificate in PEM',
    fix: renew,
  },
  {
    code: 'key_mismatch',
    pattern: /^SSL(?:_CTX)?_use_PrivateKey\("(.*?)"\) failed .*(?:key values mismatch|key type mismatch)/s,
    cause: 'the private key is not that of the certificate; or the certificate of the site is not the first in the file',
    fix: 'upload the key that the certificate was requested with, and put the certificate of the site before those of its CA',
  },
  {
    code: 'weak_certificate',
    pattern: /^SSL_CTX_use_certificate\("(.*?)"\) failed .*(?:key too small|md too weak)/s,
    cause: 'the key or the signature of the certificate is too weak for the TLS library of this host',
    fix: 'have a certificate issued with an EC key, or RSA from 2048 bits on',
  },
  {
    code: 'no_cipher',
    pattern: /^SSL_CTX_set_cipher_list\("([^]*?)"\) failed/,
    cause: 'none of the ciphers in "$1" is known here: those of TLS 1.3 do not belong in ssl_ciphers, and lists are joined by ":"',
    fix: 'leave ssl_ciphers out and choose a policy of TLS',
  },
  {
    code: 'unknown_curve',
    pattern: /^SSL_CTX_set1_curves_list\("(.*?)"\) failed/,
    cause: 'the TLS library of this host does not know all of "$1"',
    fix: 'leave ssl_ecdh_curve out, or name only what every host knows: X25519:prime256v1',
  },
  {
    code: 'unknown_tls_command',
    pattern: /^SSL_CONF_cmd\("(.*?)", "(.*?)"\) failed/,
    cause: 'the TLS library of this host does not take "$2" for $1',
    fix: 'correct it, or take it away',
  },
  {
    code: 'invalid_dh_parameters',
    pattern: /^(?:PEM_read_bio_DHparams|SSL_CTX_set_tmp_dh|BIO_new_file)\("(.*?)"\) failed/,
    cause: '"$1" is not there, or holds no Diffie-Hellman parameters that are strong enough',
    fix: 'leave ssl_dhparam out: no browser asks for it',
  },
  {
    code: 'invalid_ca_file',
    pattern:
      /^(?:SSL_CTX_load_verify_locations|SSL_load_client_CA_file|X509_LOOKUP_load_file|X509_STORE_add_\w+)\("(.*?)"\) failed|^cannot load CRL "(.*?)"/,
    cause: 'the file of CA certificates or revocation lists "$1" is not there, or is no PEM',
    fix: 'put a file in PEM there',
  },
  {
    code: 'no_certificate',
    pattern: /^no "ssl_certificate(?:_key)?" is defined/,
    cause: 'a virtual host speaks TLS and has no certificate, or no key to it',
    fix: 'choose a certificate in ssl_certificate_id',
  },
  {
    code: 'no_trusted_ca',
    pattern: /^no (\w+)_trusted_certificate for (\w+)|^no ssl_client_certificate(?: or ssl_trusted_certificate)? for ssl_verify_client/,
    cause: 'certificates are to be checked, and it is not said against which CA',
    fix: 'name a file of CA certificates',
  },
  {
    code: 'stapling_ignored',
    pattern: /^"ssl_stapling" ignored, (.*)/s,
    cause: 'the certificate names no OCSP responder, or its issuer is not in the chain: most CAs have ended OCSP',
    fix: 'turn ocsp_stapling off',
  },
]
