// OpenSSL's libcrypto: digests through EVP. libssl is not linked.
#include <openssl/err.h>
#include <openssl/evp.h>
