#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <libavformat/avformat.h>
#include <libavutil/pixdesc.h>

#include "frames.h"

#define BUFFER_SIZE (1 << 16)
#define PROBE_SIZE (4 << 20)

/// Frames that no other needs are decoded only where one is due; of films longer than this, key frames alone: a frame a
/// second is looked for, and hours of frames between would be decoded to be thrown away.
#define REFERENCE_FRAMES_SECONDS 900

/// Samples stand for a film where there are so many at least, and no longer time and no half of it is without one.
#define LEAST_SAMPLES 3
#define SAMPLE_SECONDS 15.0

// A coarse look at a frame: points of it, to see where a scene begins.
#define SIDE 16
#define SCENE_DIFFERENCE 30  // of 255, in the mean

typedef struct {
  const media_stream *stream;
  uint64_t at;
  AVFormatContext *format;
  AVCodecContext *codec;
  AVPacket *packet;
  AVFrame *frame;
  int track;
  uint8_t look[SIDE * SIDE];
  int has_look;
  double due;     // when the next frame is to be delivered
  double last;    // of the frame decoded last, in seconds from the start
  double end;     // when that frame has been shown
  int skips;      // whether frames that no other needs are passed over
  int samples;    // how many are given behind a key frame, before nothing is decoded up to another; 0 where all is
  int given;      // of them
  int rests;      // whether they are all given, or none is wanted there
  double key;     // when the last key frame came
  int drains;     // whether the decoder has been told that no packet will come
  int64_t start;  // timestamp of the first frame, or none
  double unit;    // seconds of a timestamp's step
  uint64_t delivered, decoded, packets;
} film;

// As its header promises, in seconds; 0 where it does not.
static double duration_of(const film *f) {
  return f->format->duration == AV_NOPTS_VALUE ? 0 : (double)f->format->duration / AV_TIME_BASE;
}

// The time of a timestamp, from the first frame's.
static double seconds_at(const film *f, int64_t timestamp) { return ((double)timestamp - (double)f->start) * f->unit; }

static int read_bytes(void *opaque, uint8_t *into, int count) {
  film *f = opaque;
  int64_t got = count > 0 ? f->stream->read(f->stream->context, f->at, into, (size_t)count) : 0;
  if (got <= 0) return AVERROR_EOF;
  f->at += (uint64_t)got;
  return (int)got;
}

static int64_t seek(void *opaque, int64_t offset, int whence) {
  film *f = opaque;
  if (whence & AVSEEK_SIZE) return (int64_t)f->stream->size;
  int64_t from = (whence & 3) == SEEK_SET ? 0 : (whence & 3) == SEEK_CUR ? (int64_t)f->at : (int64_t)f->stream->size;
  if (offset < -from || offset > INT64_MAX - from) return AVERROR(EINVAL);
  f->at = (uint64_t)(from + offset);
  return (int64_t)f->at;
}

static void fail(media_result *result, int error, const char *what) {
  char message[AV_ERROR_MAX_STRING_SIZE];
  if (error == AVERROR(ENOMEM)) {
    media_fail(result, MEDIA_MEMORY, "out of memory");
    return;
  }
  av_strerror(error, message, sizeof message);
  const char *complaint = media_complaint();
  media_fail(
    result, error == AVERROR_PATCHWELCOME ? MEDIA_UNSUPPORTED : MEDIA_BROKEN, "%s: %s", what, complaint[0] ? complaint : message);
}

// The container is the one that was sniffed, and it may name no further file.
static int open_container(film *f, const char *name, media_result *result) {
  const AVInputFormat *kind = av_find_input_format(name);
  if (!kind) {
    media_fail(result, MEDIA_UNSUPPORTED, "FFmpeg was built without %s", name);
    return -1;
  }
  uint8_t *buffer = av_malloc(BUFFER_SIZE);
  AVIOContext *io = buffer ? avio_alloc_context(buffer, BUFFER_SIZE, 0, f, read_bytes, NULL, seek) : NULL;
  f->format = avformat_alloc_context();
  if (!io || !f->format) {
    if (!io) av_free(buffer);
    if (io) av_freep(&io->buffer), avio_context_free(&io);
    media_fail(result, MEDIA_MEMORY, "out of memory");
    return -1;
  }
  f->format->pb = io;
  f->format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_DISCARD_CORRUPT;
  f->format->probesize = PROBE_SIZE;
  f->format->max_streams = 64;
  f->format->protocol_whitelist = av_strdup("");
  f->format->format_whitelist = av_strdup(kind->name);
  int error = avformat_open_input(&f->format, "", kind, NULL);
  if (error < 0) {
    av_freep(&io->buffer);
    avio_context_free(&io);
    fail(result, error, name);
    return -1;
  }
  return 0;
}

// Whether the container's header says all that is needed: looking for the rest decodes the first pictures once more. An
// order of frames that is not that of their packets is told by QuickTime's tables, and for H.264 by no other header.
static int is_told_by_header(const AVFormatContext *format) {
  const AVStream *film = NULL;
  for (unsigned i = 0; i < format->nb_streams; i++) {
    if (format->streams[i]->codecpar->codec_type != AVMEDIA_TYPE_VIDEO) continue;
    if (film) return 0;  // which one is looked at depends on what is found in them
    film = format->streams[i];
  }
  if (!film || film->codecpar->width <= 0 || film->codecpar->height <= 0 || format->duration <= 0) return 0;
  switch (film->codecpar->codec_id) {
  case AV_CODEC_ID_VP8:
  case AV_CODEC_ID_VP9:
  case AV_CODEC_ID_AV1: return 1;
  // Films in fragments have no such table.
  case AV_CODEC_ID_H264:
  case AV_CODEC_ID_HEVC: return strstr(format->iformat->name, "mov") && film->nb_frames > 0;
  default: return 0;
  }
}

// Looks into the film for what its header does not say.
static int find_out(film *f, const media_request *request) {
  if (is_told_by_header(f->format)) return 0;
  // Decoders that look are bound like the one that decodes.
  unsigned tracks = f->format->nb_streams;
  AVDictionary **options = calloc(tracks ? tracks : 1, sizeof *options);
  for (unsigned i = 0; options && i < tracks; i++) {
    av_dict_set_int(&options[i], "max_pixels", (int64_t)request->most_pixels, 0);
    av_dict_set_int(&options[i], "threads", 1, 0);
  }
  int error = options ? avformat_find_stream_info(f->format, options) : AVERROR(ENOMEM);
  for (unsigned i = 0; options && i < tracks; i++) av_dict_free(&options[i]);
  free(options);
  return error;
}

static int open_track(film *f, const media_request *request, media_result *result) {
  int error = find_out(f, request);
  if (error < 0) {
    fail(result, error, "video");
    return -1;
  }
  const AVCodec *decoder = NULL;
  f->track = av_find_best_stream(f->format, AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
  if (f->track < 0) {
    // Sound alone is no video that could not be hashed.
    if (f->track == AVERROR_DECODER_NOT_FOUND) {
      media_fail(result, MEDIA_UNSUPPORTED, "no decoder for this video");
      return -1;
    }
    return 1;
  }
  const AVStream *track = f->format->streams[f->track];
  for (unsigned i = 0; i < f->format->nb_streams; i++) {
    if ((int)i != f->track) f->format->streams[i]->discard = AVDISCARD_ALL;
  }
  if (track->codecpar->width > 0 && track->codecpar->height > 0
    && media_check_size(request, result, (uint64_t)track->codecpar->width, (uint64_t)track->codecpar->height)) return -1;
  f->codec = avcodec_alloc_context3(decoder);
  f->packet = av_packet_alloc();
  f->frame = av_frame_alloc();
  if (!f->codec || !f->packet || !f->frame) {
    media_fail(result, MEDIA_MEMORY, "out of memory");
    return -1;
  }
  error = avcodec_parameters_to_context(f->codec, track->codecpar);
  f->codec->thread_count = 1;
  f->codec->max_pixels = (int64_t)request->most_pixels;
  f->codec->pkt_timebase = track->time_base;
  double duration = duration_of(f);
  f->unit = av_q2d(track->time_base);
  f->start = track->start_time;
  if (request->detail != MEDIA_ALL_FRAMES && duration > REFERENCE_FRAMES_SECONDS) {
    f->codec->skip_frame = AVDISCARD_NONKEY;
  } else {
    f->skips = request->detail != MEDIA_ALL_FRAMES && request->frame_seconds > 0;
  }
  if (error >= 0) error = avcodec_open2(f->codec, decoder, NULL);
  if (error < 0) fail(result, error, "video");
  return error < 0 ? -1 : 0;
}

// Whether a frame looks unlike the one before it. Only samples of 8 bits are looked at.
static int begins_scene(film *f, const AVFrame *frame) {
  const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
  if (!format || format->flags & (AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BITSTREAM)) return 0;
  // Luma, or green in its place.
  const AVComponentDescriptor *part = &format->comp[format->flags & AV_PIX_FMT_FLAG_RGB ? 1 : 0];
  if (part->depth != 8 || !frame->data[part->plane] || frame->width < SIDE || frame->height < SIDE) return 0;
  uint8_t look[SIDE * SIDE];
  int difference = 0;
  for (int y = 0; y < SIDE; y++) {
    int line = (2 * y + 1) * frame->height / (2 * SIDE);
    const uint8_t *row = frame->data[part->plane] + (ptrdiff_t)line * frame->linesize[part->plane] + part->offset;
    for (int x = 0; x < SIDE; x++) {
      uint8_t value = row[(2 * x + 1) * frame->width / (2 * SIDE) * part->step];
      difference += abs(value - f->look[y * SIDE + x]);
      look[y * SIDE + x] = value;
    }
  }
  int is_new = f->has_look && difference > SCENE_DIFFERENCE * SIDE * SIDE;
  memcpy(f->look, look, sizeof look);
  f->has_look = 1;
  return is_new;
}

static double seconds_of(film *f, const AVFrame *frame) {
  const AVStream *track = f->format->streams[f->track];
  if (frame->best_effort_timestamp == AV_NOPTS_VALUE) {
    double rate = av_q2d(track->avg_frame_rate);
    return (double)f->decoded / (rate > 0 ? rate : 25);
  }
  double seconds = seconds_at(f, frame->best_effort_timestamp);
  return seconds >= 0 && seconds < 1e9 ? seconds : f->last;
}

// The next key frame of the container's index, from an entry on; NULL where there is none.
static const AVIndexEntry *next_key_frame(const film *f, int *entry) {
  AVStream *track = f->format->streams[f->track];
  while (*entry < avformat_index_get_entries_count(track)) {
    const AVIndexEntry *next = avformat_index_get_entry(track, (*entry)++);
    if (next->flags & AVINDEX_KEYFRAME) return next;
  }
  return NULL;
}

// How many samples behind each key frame of the container's index stand for the film, as long as it is said to be; 0 where
// none do.
static int count_samples(const film *f, double step) {
  const AVIndexEntry *next;
  int entry = 0, found = 0;
  while (next_key_frame(f, &entry)) found += 1;
  if (found < 2) return 0;
  int each = (LEAST_SAMPLES + found - 1) / found;
  double end = duration_of(f), most = fmin(SAMPLE_SECONDS, end / 2), last = 0;
  for (entry = 0; (next = next_key_frame(f, &entry));) {
    double first = step * ceil(seconds_at(f, next->timestamp) / step);
    if (first - last > most) return 0;
    last = fmax(last, first + step * (each - 1));
  }
  return end - last <= most ? each : 0;
}

// The container's timestamp of a time. Returns -1 where there is none.
static int find_timestamp(const film *f, double seconds, int64_t *timestamp) {
  double sought = (double)f->start + seconds / f->unit;
  if (!(fabs(sought) < 1e18)) return -1;
  *timestamp = (int64_t)sought;
  return 0;
}

// Goes on with samples alone where they will do. Returns -1 when this is the end of the look, and some of the film is missing.
static int pass_to_samples(film *f, double step) {
  if (!f->skips || f->samples || f->drains) return 0;
  // Matroska's index is read when it is sought by; and where that has led is nowhere to go on from with all frames.
  const int is_sought = strstr(f->format->iformat->name, "matroska") != NULL;
  if (is_sought) {
    int64_t here;
    if (find_timestamp(f, f->last, &here) < 0 || av_seek_frame(f->format, f->track, here, AVSEEK_FLAG_BACKWARD) < 0) return -1;
    avcodec_flush_buffers(f->codec);
  }
  f->samples = count_samples(f, step);
  f->given = 1;
  f->rests = f->samples == 1;
  f->key = f->last;
  return is_sought && f->samples == 0 ? -1 : 0;
}

// Delivers what the decoder has ready. Returns an error of the decoder, or AVERROR_EXIT to stop: `result` says why, if not
// because no more is wanted.
static int take_frames(film *f, const media_request *request, media_result *result) {
  for (;;) {
    int error = avcodec_receive_frame(f->codec, f->frame);
    if (error < 0) return error == AVERROR(EAGAIN) || error == AVERROR_EOF ? 0 : error;
    double seconds = seconds_of(f, f->frame);
    f->decoded += 1;
    f->last = seconds;
    if (!f->samples) f->end = seconds + (double)f->frame->pkt_duration * f->unit;
    // Asked for every frame: it compares with the one before.
    int begins = begins_scene(f, f->frame), is_due = seconds >= f->due || f->delivered == 0;
    if (f->samples ? is_due && !f->rests : is_due || begins) {
      if (f->delivered == request->most_frames) {
        media_fail(result, MEDIA_LIMIT, "limit: %llu frames", (unsigned long long)request->most_frames);
        return AVERROR_EXIT;
      }
      media_result one = {0};
      media_put_frame(f->frame, request, &one);
      if (one.status != MEDIA_DECODED) {
        *result = one;
        return AVERROR_EXIT;
      }
      one.left_out = f->samples > 0;
      f->given += 1;
      f->rests = f->samples > 0 && f->given >= f->samples;
      f->delivered += 1;
      double step = request->frame_seconds;
      if (is_due) f->due = step > 0 ? step * ((double)(int64_t)(seconds / step) + 1) : seconds;
      int wanted = f->stream->frame(f->stream->context, &one, seconds);
      if (wanted == MEDIA_ENOUGH) return AVERROR_EXIT;
      if (wanted == MEDIA_SAMPLES && pass_to_samples(f, step) < 0) return AVERROR_EXIT;
    }
    av_frame_unref(f->frame);
  }
}

// Demuxers take the end of a file for the end of the film: a fifth less than the headers promise is a part of it, less may
// be a header's rounding.
static void check_end(const film *f, media_result *result) {
  const AVStream *track = f->format->streams[f->track];
  double duration = duration_of(f);
  if (duration > 2 && f->end < duration * 0.8 - 1) {
    media_fail(result, MEDIA_BROKEN, "premature end of data: %.0f of %.0f s", f->end, duration);
  } else if (track->nb_frames > 0 && (double)f->packets < 0.8 * (double)track->nb_frames) {
    media_fail(
      result, MEDIA_BROKEN, "premature end of data: %llu of %lld frames", (unsigned long long)f->packets,
      (long long)track->nb_frames);
  }
}

// Whether a frame may be the next that is looked for: the due time moves on when that one comes out of the decoder.
static int may_be_due(const film *f, const AVPacket *packet) {
  return f->delivered == 0 || packet->pts == AV_NOPTS_VALUE || seconds_at(f, packet->pts) >= f->due;
}

// Whether the packet, a key frame, is the last one before a whole second.
static int is_last_before(film *f, double due) {
  AVStream *track = f->format->streams[f->track];
  int64_t time = f->packet->pts > f->packet->dts ? f->packet->pts : f->packet->dts;
  int64_t sought;
  if (find_timestamp(f, due, &sought) < 0) return 1;
  int index = av_index_search_timestamp(track, sought, AVSEEK_FLAG_BACKWARD);
  return index < 0 || avformat_index_get_entry(track, index)->timestamp <= time;
}

// Whether a packet is passed over. Returns -1 when key frames do not come as the index has them.
static int is_passed_over(film *f, const media_request *request, media_result *result) {
  int64_t time = f->packet->pts == AV_NOPTS_VALUE ? f->packet->dts : f->packet->pts;
  double seconds = seconds_at(f, time);
  if (time == AV_NOPTS_VALUE || !(seconds >= 0 && seconds < 1e9)) seconds = f->end;
  f->end = seconds;
  if (f->packet->flags & AV_PKT_FLAG_KEY) {
    f->key = seconds;
    double due = request->frame_seconds * ceil(seconds / request->frame_seconds);
    if (f->rests && seconds > f->last && is_last_before(f, due)) {
      avcodec_flush_buffers(f->codec);
      f->due = due;
      f->given = f->rests = 0;
    }
  }
  if (seconds - f->key <= SAMPLE_SECONDS + f->samples) return f->rests;
  media_fail(result, MEDIA_BROKEN, "no key frame where the index has one");
  return -1;
}

static void decode(film *f, const media_request *request, media_result *result) {
  int error = 0, damaged = 0;
  for (;;) {
    error = av_read_frame(f->format, f->packet);
    if (error < 0) break;
    if (f->packet->stream_index == f->track) {
      f->packets += 1;
      if (f->start == AV_NOPTS_VALUE) f->start = f->packet->pts == AV_NOPTS_VALUE ? 0 : f->packet->pts;
      int passed = f->samples ? is_passed_over(f, request, result) : 0;
      if (passed) {
        av_packet_unref(f->packet);
        if (passed < 0) return;
        continue;
      }
      if (f->skips) f->codec->skip_frame = may_be_due(f, f->packet) ? AVDISCARD_DEFAULT : AVDISCARD_NONREF;
      int sent = avcodec_send_packet(f->codec, f->packet);
      if (sent < 0 && sent != AVERROR(EAGAIN)) damaged = sent;
      int taken = take_frames(f, request, result);
      if (taken == AVERROR_EXIT || taken == AVERROR(ENOMEM)) {
        av_packet_unref(f->packet);
        if (taken == AVERROR(ENOMEM)) fail(result, taken, "video");
        return;
      }
      if (taken < 0) damaged = taken;
    }
    av_packet_unref(f->packet);
  }
  avcodec_send_packet(f->codec, NULL);
  f->drains = 1;
  if (take_frames(f, request, result) == AVERROR_EXIT) return;
  if (error != AVERROR_EOF) {
    fail(result, error, "video");
  } else if (f->delivered == 0) {
    fail(result, damaged ? damaged : AVERROR_INVALIDDATA, "video without frames");
  } else {
    check_end(f, result);
  }
}

void media_decode_video(
  const char *container, const media_stream *stream, const media_request *request, media_result *result
) {
  *result = (media_result){0};
  media_hear_complaints();
  film f = {.stream = stream, .track = -1};
  if (open_container(&f, container, result) == 0) {
    if (open_track(&f, request, result) == 0) decode(&f, request, result);
    result->frames = f.delivered > UINT32_MAX ? UINT32_MAX : (uint32_t)f.delivered;
  }
  avcodec_free_context(&f.codec);
  av_packet_free(&f.packet);
  av_frame_free(&f.frame);
  if (f.format) {
    AVIOContext *io = f.format->pb;
    avformat_close_input(&f.format);
    if (io) av_freep(&io->buffer);
    avio_context_free(&io);
  }
}
