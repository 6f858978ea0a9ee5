import CMedia
import CSandbox
import Decoding
import Glibc

/// The server's life is to warm up and to fork; a worker's to map, to lock itself in, to say hello, and then to give one reply to
/// each request until the parent hangs up.
enum DecoderLoop {
  /// Exit statuses, which the parent shows: of the server 2 not started by a pool, 4 a codec is missing; of a worker 2 its
  /// server is gone, 3 no memory, 5 not sandboxed, 6 the parent broke the protocol.
  static func run() -> Never {
    guard CommandLine.arguments.count == 2, let parent = pid_t(CommandLine.arguments[1]) else {
      let message = "muhafiz-decoder: error: started by muhafiz, not by hand\n"
      _ = write(STDERR_FILENO, message, message.utf8.count)
      exit(2)
    }
    guard sandbox_follow(parent) == 0 else { exit(2) }
    guard media_prepare() == 0 else { exit(4) }
    // Names in archives are UTF-8, times in them UTC: neither is to be looked up in a file later.
    setlocale(LC_CTYPE, "C.UTF-8")
    setenv("TZ", "UTC0", 1)
    tzset()
    TextConverter.prepare()
    ArchiveReader.preparePDF()
    var call = sandbox_call()
    sandbox_serve(&call)
    guard let mode = WorkerMode(rawValue: call.mode) else { exit(protocolBroken) }
    work(mode, call.memory)
  }

  private static func work(_ mode: WorkerMode, _ memory: UInt64) -> Never {
    if mode == .escapes { tryEscapes(memory) }
    guard let input = map(SANDBOX_INPUT, PROT_READ), let output = map(SANDBOX_OUTPUT, PROT_READ | PROT_WRITE),
      input.count > WireProtocol.paddingInBytes
    else { exit(3) }
    var report = sandbox_report()
    if mode == .locked { guard sandbox_enter(memory, &report) == 0, report.seccomp == 1 else { exit(5) } }
    let hello = WorkerHello(
      isFiltered: report.seccomp == 1, hasOwnNetwork: report.own_network == 1, landlockABI: UInt32(report.landlock_abi),
      allowedSystemCalls: UInt32(report.system_calls))
    serve(hello, ParentLink(input: UnsafeRawBufferPointer(input), output: output))
  }

  static let protocolBroken: CInt = 6

  private static func tryEscapes(_ memory: UInt64) -> Never {
    var report = EscapeReport(possible: 0, refused: 0, count: UInt32(SANDBOX_ESCAPES))
    sandbox_try_escapes(memory, &report.possible, &report.refused)
    let packet = report.packet
    _ = send(CInt(SANDBOX_SOCKET), packet, packet.count, CInt(MSG_NOSIGNAL))
    exit(0)
  }

  private static func serve(_ hello: WorkerHello, _ link: ParentLink) -> Never {
    var packet = [UInt8](repeating: 0, count: WorkerHello.sizeInBytes)
    packet.withUnsafeMutableBytes { hello.write(to: $0) }
    packet.withUnsafeBytes(link.say)
    while true {
      let heard = link.hear(most: DecodeRequest.sizeInBytes)
      guard let request = heard.withUnsafeBytes(DecodeRequest.init),
        request.isPulled || request.inputSize <= UInt64(link.input.count - WireProtocol.paddingInBytes)
      else { exit(protocolBroken) }
      let reply =
        request.format == .embedded
        ? EmbeddedPictures.read(request, link)
        : request.format.isArchive
          ? ArchiveReader.read(request, link)
          : request.format.isDisk
            ? DiskReader.read(request, link)
            : request.format.isPage
              ? PageReader.read(request, link)
              : request.format.isVideo ? VideoReader.read(request, link) : decode(request, link.input, link.output)
      var packet = [UInt8](repeating: 0, count: DecodeReply.sizeInBytes)
      packet.withUnsafeMutableBytes { reply.write(to: $0) }
      packet.withUnsafeBytes(link.say)
    }
  }

  private static func decode(
    _ request: DecodeRequest, _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
  ) -> DecodeReply {
    var job = media_request(
      bytes: input.baseAddress?.assumingMemoryBound(to: UInt8.self), count: Int(request.inputSize),
      samples: output.baseAddress, capacity: output.count, most_pixels: request.mostPixels,
      smallest_side: request.smallestSide, frame: request.picture, most_frames: 0,
      frame_seconds: 0, detail: 0)
    var result = media_result()
    switch request.format {
    case .jpeg: media_decode_jpeg(&job, &result)
    case .png: media_decode_png(&job, &result)
    case .webp: media_decode_webp(&job, &result)
    case .gif: media_decode_gif(&job, &result)
    case .bmp: media_decode_bmp(&job, &result)
    case .tiff: media_decode_tiff(&job, &result)
    case .heif: media_decode_heif(&job, &result)
    case .jxl: media_decode_jxl(&job, &result)
    case .icon: media_decode_ico(&job, &result)
    case .pnm: media_decode_pnm(&job, &result)
    case .targa: media_decode_targa(&job, &result)
    case .jpeg2000: media_decode_jpeg2000(&job, &result)
    case .photoshop: media_decode_photoshop(&job, &result)
    case .cameraRaw: decodeRaw(&job, &result)
    case .embedded: preconditionFailure("pictures within a picture are told of, not decoded")
    case .zip, .tar, .gzip, .bzip2, .xz, .zstandard, .sevenZip, .rar, .cabinet, .iso9660, .pdf:
      preconditionFailure("archives are read, not decoded")
    case .disk, .ewf: preconditionFailure("disk images are read, not decoded")
    case .mov, .matroska, .avi, .mpegProgram, .mpegTransport, .asf, .flv, .ogg, .gifFrames, .pngFrames, .webpFrames:
      preconditionFailure("videos have many results")
    case .html, .xhtml, .css, .hls, .dash: preconditionFailure("pages have many results")
    }
    return DecodeReply(&result)
  }

  /// Of a camera's own format the largest preview stands for the picture. CR2 is TIFF besides, whose pages any reader of those
  /// shows: they follow the preview, which stands for a page that libtiff refuses too, as it does what a sensor saw.
  private static func decodeRaw(_ job: inout media_request, _ result: inout media_result) {
    let file = UnsafeRawBufferPointer(start: job.bytes, count: job.count)
    let preview = EmbeddedPictures(file, .cameraRaw).largest
    let pages = media_count_tiff_pages(job.bytes, job.count)

    func decodePage(_ page: UInt32) {
      var job = job
      job.frame = page
      media_decode_tiff(&job, &result)
      result.frames = pages + (preview == nil ? 0 : 1)
    }
    guard let preview else {
      if pages > 0 { return decodePage(job.frame) }
      result.status = CInt(file.count < 16 ? MEDIA_BROKEN : MEDIA_UNSUPPORTED)
      withUnsafeMutableBytes(of: &result.reason) {
        $0.copyBytes(from: (file.count < 16 ? "premature end of data" : "a camera's picture without a preview").utf8)
      }
      return
    }
    func isAnswered() -> Bool { result.status == MEDIA_DECODED || result.status == MEDIA_LIMIT }
    if job.frame > 0 && pages > 0 {
      decodePage(job.frame - 1)
      if isAnswered() { return }
    }
    var jpeg = job
    jpeg.bytes = file.baseAddress?.assumingMemoryBound(to: UInt8.self).advanced(by: preview.lowerBound)
    jpeg.count = preview.count
    media_decode_jpeg(&jpeg, &result)
    result.frames = pages + 1
    // A preview that cannot be read hides no page.
    if !isAnswered() && job.frame == 0 && pages > 0 { decodePage(0) }
  }

  /// Maps a whole inherited file and closes its descriptor.
  private static func map(_ place: Int, _ protection: CInt) -> UnsafeMutableRawBufferPointer? {
    let descriptor = CInt(place)
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_size > 0,
      let start = mmap(nil, Int(status.st_size), protection, MAP_SHARED, descriptor, 0), start != MAP_FAILED
    else { return nil }
    close(descriptor)
    return UnsafeMutableRawBufferPointer(start: start, count: Int(status.st_size))
  }
}

extension DecodeReply {
  /// What came of a decoder's work.
  init(_ result: inout media_result) {
    self.init(status: DecodeReply.Status(rawValue: UInt32(result.status)) ?? .broken)
    isFloat = result.is_float != 0
    width = result.width
    height = result.height
    pictureWidth = result.picture_width
    pictureHeight = result.picture_height
    pictures = result.frames
    reason = withUnsafeBytes(of: &result.reason) { reason in
      String(decoding: reason.prefix { $0 != 0 }, as: Unicode.ASCII.self)
    }
  }
}
