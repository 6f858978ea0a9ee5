#include <stdlib.h>
#include <string.h>

#include <libde265/de265.h>
#include <libheif/heif.h>

#include "plane.h"

// libheif asks libde265 for a thread of its own. A worker has one thread and may not have more: with none to help it,
// libde265 decodes on the caller's. This definition stands before the library's, because the program comes first.
de265_error de265_start_worker_threads(de265_decoder_context *context, int count) {
  (void)context, (void)count;
  return DE265_OK;
}

static void fail(media_result *result, struct heif_error error) {
  switch (error.code) {
  case heif_error_Unsupported_filetype:
  case heif_error_Unsupported_feature:
    media_fail(result, MEDIA_UNSUPPORTED, "heif: %s", error.message);
    break;
  case heif_error_Memory_allocation_error:
    if (error.subcode == heif_suberror_Security_limit_exceeded) {
      media_fail(result, MEDIA_LIMIT, "limit: heif: %s", error.message);
    } else {
      media_fail(result, MEDIA_MEMORY, "out of memory");
    }
    break;
  default: media_fail(result, MEDIA_BROKEN, "heif: %s", error.message); break;
  }
}

// Interleaved RGB of 8 bits: the library has the conversions for every chroma, depth, matrix and range.
static void put(const struct heif_image *image, const media_request *request, media_result *result) {
  int stride = 0;
  const uint8_t *pixels = heif_image_get_plane_readonly(image, heif_channel_interleaved, &stride);
  int width = heif_image_get_primary_width(image), height = heif_image_get_primary_height(image);
  if (!pixels || width <= 0 || height <= 0 || stride < 3 * width) {
    media_fail(result, MEDIA_BROKEN, "heif: no pixels");
    return;
  }
  media_plane plane = {0};
  if (media_plane_open(&plane, request, result, (uint32_t)width, (uint32_t)height, 1, 1) == 0) {
    for (int y = 0; y < height; y++) {
      media_luma(media_plane_row(&plane), pixels + (size_t)y * (size_t)stride, (uint32_t)width, 3, 0, 1, 2);
      media_plane_row_done(&plane);
    }
  }
  media_plane_close(&plane);
}

// Leaves `image` empty and no error where `result` says why.
static struct heif_error decode_handle(
  struct heif_image_handle **handle, const media_request *request, media_result *result, struct heif_image **image
) {
  struct heif_error error = {0};
  int width = heif_image_handle_get_width(*handle), height = heif_image_handle_get_height(*handle);
  if (media_check_size(request, result, width > 0 ? (uint64_t)width : 0, height > 0 ? (uint64_t)height : 0)) return error;
  struct heif_decoding_options *options = heif_decoding_options_alloc();
  if (!options) {
    media_fail(result, MEDIA_MEMORY, "out of memory");
    return error;
  }
  options->convert_hdr_to_8bit = 1;
  options->decoder_id = "aom";  // for AV1, where dav1d would start threads; nothing else answers to the name
  error = heif_decode_image(*handle, image, heif_colorspace_RGB, heif_chroma_interleaved_RGB, options);
  heif_decoding_options_free(options);
  return error;
}

// A context of one thread and an empty result; NULL where there is no memory, which the result says.
static struct heif_context *begin(media_result *result) {
  *result = (media_result){0};
  struct heif_context *context = heif_context_alloc();
  if (context) {
    heif_context_set_max_decoding_threads(context, 0);
  } else {
    media_fail(result, MEDIA_MEMORY, "out of memory");
  }
  return context;
}

static struct heif_error read_primary(
  struct heif_context *context, const media_request *request, struct heif_image_handle **handle
) {
  struct heif_error error =
    heif_context_read_from_memory_without_copy(context, request->bytes, request->count, NULL);
  return error.code == heif_error_Ok ? heif_context_get_primary_image_handle(context, handle) : error;
}

static struct heif_error decode(
  struct heif_context *context, const media_request *request, media_result *result, struct heif_image_handle **handle,
  struct heif_image **image
) {
  struct heif_error error = read_primary(context, request, handle);
  return error.code == heif_error_Ok ? decode_handle(handle, request, result, image) : error;
}

void media_decode_heif(const media_request *request, media_result *result) {
  struct heif_context *context = begin(result);
  if (!context) return;
  struct heif_image_handle *handle = NULL;
  struct heif_image *image = NULL;
  struct heif_error error = decode(context, request, result, &handle, &image);
  if (error.code != heif_error_Ok) {
    fail(result, error);
  } else if (image) {
    put(image, request, result);
  }
  heif_image_release(image);
  heif_image_handle_release(handle);
  heif_context_free(context);
}

#define MOST_FURTHER 256

// The handle of a further picture, and how many there are.
static struct heif_error find_further(
  struct heif_context *context, const media_request *request, media_result *result, struct heif_image_handle **first,
  struct heif_image_handle **handle
) {
  struct heif_error error = read_primary(context, request, first);
  if (error.code != heif_error_Ok) return error;
  heif_item_id thumbnails[MOST_FURTHER], others[MOST_FURTHER], primary = 0;
  int count = heif_image_handle_get_list_of_thumbnail_IDs(*first, thumbnails, MOST_FURTHER);
  int images = heif_context_get_list_of_top_level_image_IDs(context, others, MOST_FURTHER);
  heif_context_get_primary_image_ID(context, &primary);
  uint32_t at = 0;
  for (int i = 0; i < count && i < MOST_FURTHER; i++, at++) {
    if (at != request->frame) continue;
    result->left_out = 1;
    error = heif_image_handle_get_thumbnail(*first, thumbnails[i], handle);
  }
  for (int i = 0; i < images && i < MOST_FURTHER; i++) {
    if (others[i] == primary) continue;
    if (at == request->frame) error = heif_context_get_image_handle(context, others[i], handle);
    at++;
  }
  result->frames = at;
  return error;
}

static void copy_rows(const struct heif_image *image, const media_request *request, media_result *result) {
  int stride = 0;
  const uint8_t *pixels = heif_image_get_plane_readonly(image, heif_channel_interleaved, &stride);
  int width = heif_image_get_primary_width(image), height = heif_image_get_primary_height(image);
  if (!pixels || width <= 0 || height <= 0 || stride / 3 < width) {
    media_fail(result, MEDIA_BROKEN, "heif: no pixels");
    return;
  }
  if (media_check_size(request, result, (uint64_t)width, (uint64_t)height)) return;
  size_t row = 3 * (size_t)width;
  if ((size_t)height > request->capacity / row) {
    media_fail(result, MEDIA_LIMIT, "limit: %d x %d pixels", width, height);
    return;
  }
  for (int y = 0; y < height; y++) {
    memcpy((uint8_t *)request->samples + (size_t)y * row, pixels + (size_t)y * (size_t)stride, row);
  }
  result->width = result->picture_width = (uint32_t)width;
  result->height = result->picture_height = (uint32_t)height;
}

void media_decode_heif_further(const media_request *request, media_result *result) {
  struct heif_context *context = begin(result);
  if (!context) return;
  struct heif_image_handle *first = NULL, *handle = NULL;
  struct heif_image *image = NULL;
  struct heif_error error = find_further(context, request, result, &first, &handle);
  if (error.code == heif_error_Ok && handle) error = decode_handle(&handle, request, result, &image);
  if (error.code != heif_error_Ok) {
    fail(result, error);
  } else if (image) {
    copy_rows(image, request, result);
  }
  heif_image_release(image);
  heif_image_handle_release(handle);
  heif_image_handle_release(first);
  heif_context_free(context);
}
