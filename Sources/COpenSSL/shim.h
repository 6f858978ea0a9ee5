// OpenSSL's libcrypto: digests and signatures through EVP, sealed contents through CMS. libssl is not linked.
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
