// OpenSSL's libcrypto: digests and signatures through EVP. libssl is not linked.
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
