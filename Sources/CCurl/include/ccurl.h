// libcurl as Swift can call it: curl_easy_setopt and curl_easy_getinfo take variable arguments.
// Linked by Scanning, to fetch what the web's hosts choose to send. Nothing here keeps a pointer.
#pragma once

#include <curl/curl.h>
#include <stddef.h>
#include <stdint.h>

/// Sets a number, a string (copied), or any other pointer. Returns CURLE_OK or why not.
CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value);
CURLcode ccurl_set_text(CURL *easy, CURLoption option, const char *text);
CURLcode ccurl_set_pointer(CURL *easy, CURLoption option, void *pointer);

/// Called with `context` for bytes of headers and of the body; returns the bytes taken, or CURL_WRITEFUNC_PAUSE.
typedef size_t (*ccurl_bytes)(char *bytes, size_t size, size_t count, void *context);
/// Called with an address before it is connected to; returns a socket, or CURL_SOCKET_BAD for none.
typedef curl_socket_t (*ccurl_opening)(void *context, curlsocktype purpose, struct curl_sockaddr *address);
/// Called when there is a connection and nothing has been asked yet; returns CURL_PREREQFUNC_OK or _ABORT.
typedef int (*ccurl_connected)(void *context, char *remote, char *local, int remote_port, int local_port);

/// Sets the three callbacks and what they are called with.
CURLcode ccurl_set_callbacks(CURL *easy, ccurl_bytes header, ccurl_bytes body, ccurl_opening opening,
                             ccurl_connected connected, void *context);

long ccurl_status(CURL *easy);
/// What was set as CURLOPT_PRIVATE.
void *ccurl_private(CURL *easy);

CURLMcode ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value);

/// Facts about the secured connection that `easy` has now.
/// version: at least 16 bytes, gets the version's name, ended by 0. certificate: 32 bytes, get the SHA-256 of the
/// server's certificate. Returns 1; 0 where the connection is not secured.
int ccurl_security(CURL *easy, char *version, size_t version_size, uint8_t *certificate);
