import CMedia
import Decoding

/// Decodes videos and tells the parent of their frames.
enum VideoReader {
  /// What FFmpeg's callbacks work with.
  private final class Conversation {
    let link: ParentLink
    let input: ByteInput
    init(_ link: ParentLink, _ input: ByteInput) { (self.link, self.input) = (link, input) }
  }

  /// Source: vPDQ reference, `seconds_per_hash`.
  private static let secondsBetweenFrames = 1.0

  static func read(_ request: DecodeRequest, _ link: ParentLink) -> DecodeReply {
    let conversation = Conversation(link, ByteInput(request, link))
    var stream = media_stream()
    stream.context = Unmanaged.passUnretained(conversation).toOpaque()
    stream.size = request.inputSize
    stream.read = { context, offset, into, count in
      let conversation = Unmanaged<Conversation>.fromOpaque(context!).takeUnretainedValue()
      let piece = conversation.input.piece(at: Int64(clamping: offset)).prefix(count)
      UnsafeMutableRawBufferPointer(start: into, count: count).copyBytes(from: piece)
      return Int64(piece.count)
    }
    stream.frame = { context, result, seconds in
      let conversation = Unmanaged<Conversation>.fromOpaque(context!).takeUnretainedValue()
      var event = StreamEvent(.frame)
      event.first = UInt64(seconds * 1000)
      (event.width, event.height) = (result!.pointee.width, result!.pointee.height)
      event.flags =
        (result!.pointee.is_float != 0 ? StreamEvent.isFloat : 0)
        | (result!.pointee.left_out != 0 ? StreamEvent.othersAreLeftOut : 0)
      return switch conversation.link.tell(event).demand {
      case .refused: CInt(MEDIA_ENOUGH)
      case .all: CInt(MEDIA_MORE)
      case .samples: CInt(MEDIA_SAMPLES)
      }
    }
    var job = media_request()
    job.samples = link.output.baseAddress
    job.capacity = link.output.count
    job.most_pixels = request.mostPixels
    job.most_frames = request.most
    job.detail = request.detail.rawValue
    // Pictures that move are short, and may show another picture in every frame.
    let moves = [.gifFrames, .pngFrames, .webpFrames].contains(request.format)
    job.frame_seconds = moves ? 0 : secondsBetweenFrames
    var result = media_result()
    withExtendedLifetime(conversation) {
      if request.format == .webpFrames, !request.isPulled {
        job.bytes = link.input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        job.count = Int(request.inputSize)
        media_decode_webp_frames(&stream, &job, &result)
      } else {
        media_decode_video(container(request.format, conversation.input), &stream, &job, &result)
      }
    }
    return DecodeReply(&result)
  }

  /// FFmpeg's name of the one demuxer that is to be used.
  private static func container(_ format: DecodeRequest.Format, _ input: ByteInput) -> String {
    switch format {
    case .mov: "mov"
    case .matroska: "matroska"
    case .avi: "avi"
    // A sequence header in front: a bare stream without the packs of a program.
    case .mpegProgram: input.piece(at: 0).prefix(4).elementsEqual([0, 0, 1, 0xb3]) ? "mpegvideo" : "mpeg"
    case .mpegTransport: "mpegts"
    case .asf: "asf"
    case .flv: "flv"
    case .ogg: "ogg"
    case .gifFrames: "gif"
    case .pngFrames: "apng"
    default: ""
    }
  }
}
