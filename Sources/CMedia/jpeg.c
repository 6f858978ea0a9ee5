#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "plane.h"

// More scans than any encoder writes: each one walks the whole picture again, whatever its size in the file.
#define MOST_SCANS 500

#define MARKER_EOI 0xD9

/// Of pictures up to this size the luma is taken from red, green and blue, as the reference does: there, rounding and colours
/// that clip turn bits. In larger ones, where each bit is a mean of many pixels, the stored luma says the same.
#define MOST_PIXELS_IN_COLOUR (512 * 512)

typedef struct {
  struct jpeg_error_mgr errors;
  struct jpeg_source_mgr source;
  struct jpeg_progress_mgr progress;
  jmp_buf escape;
  media_result *result;
  int ran_out;     // the file ended and the decoder asked for more
  int ends_early;  // rows were made up because their data never came
} state;

static state *state_of(j_common_ptr common) { return (state *)common->err; }

static void fail(j_common_ptr common) {
  state *s = state_of(common);
  char message[JMSG_LENGTH_MAX];
  s->errors.format_message(common, message);
  switch (s->errors.msg_code) {
  case JERR_OUT_OF_MEMORY: media_fail(s->result, MEDIA_MEMORY, "out of memory"); break;
  case JERR_IMAGE_TOO_BIG:
    media_fail(s->result, MEDIA_LIMIT, "limit: a side of more than %ld pixels", (long)JPEG_MAX_DIMENSION);
    break;
  case JERR_BAD_PRECISION:
  case JERR_SOF_UNSUPPORTED:
  case JERR_CONVERSION_NOTIMPL: media_fail(s->result, MEDIA_UNSUPPORTED, "jpeg: %s", message); break;
  default:
    if (s->ran_out) {
      media_fail(s->result, MEDIA_BROKEN, "premature end of data");
    } else {
      media_fail(s->result, MEDIA_BROKEN, "jpeg: %s", message);
    }
  }
  longjmp(s->escape, 1);
}

static void warn(j_common_ptr common, int level) {
  state *s = state_of(common);
  if (level >= 0 || !common->is_decompressor || s->errors.msg_code != JWRN_HIT_MARKER) return;
  j_decompress_ptr cinfo = (j_decompress_ptr)common;
  // The entropy decoder met a marker with blocks still to fill. Behind the last row of blocks, or before a restart
  // marker, that is a scratch; at the end of the picture with rows to come, the rows are not there.
  if (cinfo->unread_marker == MARKER_EOI && (s->ran_out || cinfo->input_iMCU_row + 1 < cinfo->total_iMCU_rows)) {
    s->ends_early = 1;
  }
}

static void say_nothing(j_common_ptr common) { (void)common; }

static void count_scans(j_common_ptr common) {
  if (!common->is_decompressor || ((j_decompress_ptr)common)->input_scan_number <= MOST_SCANS) return;
  media_fail(state_of(common)->result, MEDIA_LIMIT, "limit: more than %d scans", MOST_SCANS);
  longjmp(state_of(common)->escape, 1);
}

static void start(j_decompress_ptr cinfo) { (void)cinfo; }

static boolean refill(j_decompress_ptr cinfo) {
  static const JOCTET end[2] = {0xFF, MARKER_EOI};
  state_of((j_common_ptr)cinfo)->ran_out = 1;
  cinfo->src->next_input_byte = end;
  cinfo->src->bytes_in_buffer = sizeof end;
  return TRUE;
}

static void skip(j_decompress_ptr cinfo, long count) {
  if (count <= 0) return;
  if ((size_t)count > cinfo->src->bytes_in_buffer) {
    refill(cinfo);
    return;
  }
  cinfo->src->next_input_byte += count;
  cinfo->src->bytes_in_buffer -= (size_t)count;
}

static int orientation_of(j_decompress_ptr cinfo) {
  for (jpeg_saved_marker_ptr marker = cinfo->marker_list; marker; marker = marker->next) {
    if (marker->marker != JPEG_APP0 + 1 || marker->data_length < 6 || memcmp(marker->data, "Exif\0\0", 6)) continue;
    return media_exif_orientation(marker->data, marker->data_length);
  }
  return 1;
}

// Whether a file that stopped without an end marker has all its data nevertheless.
static int is_whole(j_decompress_ptr cinfo) {
  if (cinfo->arith_code) return 0;  // the arithmetic decoder invents bits without a warning
  if (!cinfo->coef_bits) return !jpeg_has_multiple_scans(cinfo);
  // Progressive: 0 says that a coefficient is known to its last bit.
  for (int component = 0; component < cinfo->num_components; component++) {
    for (int k = 0; k < DCTSIZE2; k++) {
      if (cinfo->coef_bits[component][k] != 0) return 0;
    }
  }
  return 1;
}

// One, two or four eighths: libjpeg-turbo has no fast transform for the others, which take longer than full size.
static void choose_scale(j_decompress_ptr cinfo, uint32_t smallest_side) {
  if (smallest_side == 0) return;
  for (unsigned eighths = 1; eighths < 8; eighths *= 2) {
    cinfo->scale_num = eighths;
    cinfo->scale_denom = 8;
    jpeg_calc_output_dimensions(cinfo);
    if (cinfo->output_width >= smallest_side && cinfo->output_height >= smallest_side) return;
  }
  cinfo->scale_num = cinfo->scale_denom = 8;
}

// Four inks as Adobe stores them, inverted. The rounding is Pillow's (Convert.c, cmyk2rgb), as the reference reads
// files with it.
static void cmyk_to_rgb(uint8_t *pixels, uint32_t count) {
  for (uint32_t i = 0; i < count; i++, pixels += 4) {
    unsigned light = pixels[3];
    for (int channel = 0; channel < 3; channel++) {
      unsigned ink = (255u - pixels[channel]) * light + 128;
      pixels[channel] = (uint8_t)(light - (((ink >> 8) + ink) >> 8));
    }
  }
}

static int is_in_colour(j_decompress_ptr cinfo) {
  if ((uint64_t)cinfo->image_width * cinfo->image_height > MOST_PIXELS_IN_COLOUR) return 0;
  for (int i = 0; i < cinfo->num_components; i++) {
    const jpeg_component_info *component = &cinfo->comp_info[i];
    // libjpeg-turbo does not bring colours of two thirds of the width to all of it.
    if (cinfo->max_h_samp_factor % component->h_samp_factor || cinfo->max_v_samp_factor % component->v_samp_factor) return 0;
  }
  return 1;
}

static void decode(
  j_decompress_ptr cinfo, state *s, const media_request *request, media_plane *plane, uint8_t *volatile *row
) {
  media_result *result = s->result;
  jpeg_save_markers(cinfo, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(cinfo, TRUE);
  if (media_check_size(request, result, cinfo->image_width, cinfo->image_height)) return;
  switch (cinfo->jpeg_color_space) {
  case JCS_GRAYSCALE: cinfo->out_color_space = JCS_GRAYSCALE; break;
  case JCS_YCbCr: cinfo->out_color_space = is_in_colour(cinfo) ? JCS_RGB : JCS_GRAYSCALE; break;
  case JCS_RGB: cinfo->out_color_space = JCS_RGB; break;
  case JCS_CMYK:
  case JCS_YCCK: cinfo->out_color_space = JCS_CMYK; break;
  default:
    media_fail(result, MEDIA_UNSUPPORTED, "jpeg: %d components", cinfo->num_components);
    return;
  }
  cinfo->dct_method = JDCT_ISLOW;
  int orientation = orientation_of(cinfo);
  result->picture_width = orientation >= 5 ? cinfo->image_height : cinfo->image_width;
  result->picture_height = orientation >= 5 ? cinfo->image_width : cinfo->image_height;
  choose_scale(cinfo, request->smallest_side);
  int is_gray = cinfo->out_color_space == JCS_GRAYSCALE;
  jpeg_start_decompress(cinfo);
  uint32_t width = cinfo->output_width;
  if (media_plane_open(plane, request, result, width, cinfo->output_height, orientation, !is_gray)) return;
  if (!is_gray) {
    *row = malloc((size_t)width * (size_t)cinfo->output_components);
    if (!*row) {
      media_fail(result, MEDIA_MEMORY, "out of memory");
      return;
    }
  }
  while (cinfo->output_scanline < cinfo->output_height) {
    void *samples = media_plane_row(plane);
    JSAMPROW into = is_gray ? samples : *row;
    jpeg_read_scanlines(cinfo, &into, 1);
    if (cinfo->out_color_space == JCS_CMYK) cmyk_to_rgb(into, width);
    if (!is_gray) media_luma(samples, into, width, (size_t)cinfo->output_components, 0, 1, 2);
    media_plane_row_done(plane);
  }
  if (s->ends_early || (s->ran_out && !is_whole(cinfo))) {
    media_fail(result, MEDIA_BROKEN, "premature end of data");
  }
}

void media_decode_jpeg(const media_request *request, media_result *result) {
  *result = (media_result){0};
  struct jpeg_decompress_struct cinfo = {0};
  media_plane plane = {0};
  uint8_t *volatile row = NULL;
  state s = {.result = result};
  cinfo.err = jpeg_std_error(&s.errors);
  s.errors.error_exit = fail;
  s.errors.emit_message = warn;
  s.errors.output_message = say_nothing;
  s.progress.progress_monitor = count_scans;
  s.source = (struct jpeg_source_mgr){
    .next_input_byte = request->bytes, .bytes_in_buffer = request->count, .init_source = start,
    .fill_input_buffer = refill, .skip_input_data = skip, .resync_to_restart = jpeg_resync_to_restart,
    .term_source = start,
  };
  if (setjmp(s.escape) == 0) {
    jpeg_create_decompress(&cinfo);
    cinfo.src = &s.source;
    cinfo.progress = &s.progress;
    decode(&cinfo, &s, request, &plane, &row);
  }
  jpeg_destroy_decompress(&cinfo);
  media_plane_close(&plane);
  free(row);
}
