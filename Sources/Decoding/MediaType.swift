/// A media or container type, told by its first bytes and never by its name.
public enum MediaType: String, Sendable, CaseIterable {
  case jpeg = "image/jpeg"
  case png = "image/png"
  case apng = "image/apng"
  case webp = "image/webp"
  case gif = "image/gif"
  case bmp = "image/bmp"
  case tiff = "image/tiff"
  case heic = "image/heic"
  case avif = "image/avif"
  case jxl = "image/jxl"
  case jpeg2000 = "image/jp2"
  case photoshop = "image/vnd.adobe.photoshop"
  case icon = "image/vnd.microsoft.icon"
  case pnm = "image/x-portable-anymap"
  case targa = "image/x-tga"
  /// A camera's own format that no other reader knows: CR2, CR3, ORF, RAF, RW2. Its largest preview stands for the picture.
  case cameraRaw = "image/x-raw"

  case mp4 = "video/mp4"
  case quickTime = "video/quicktime"
  case threeGPP = "video/3gpp"
  case matroska = "video/x-matroska"
  case webm = "video/webm"
  case avi = "video/x-msvideo"
  case mpegProgram = "video/mpeg"
  case mpegTransport = "video/mp2t"
  case asf = "video/x-ms-asf"
  case flv = "video/x-flv"
  case ogg = "application/ogg"

  case pdf = "application/pdf"
  case zip = "application/zip"
  case gzip = "application/gzip"
  case bzip2 = "application/x-bzip2"
  case xz = "application/x-xz"
  case zstandard = "application/zstd"
  case sevenZip = "application/x-7z-compressed"
  case rar = "application/vnd.rar"
  case tar = "application/x-tar"
  case cabinet = "application/vnd.ms-cab-compressed"
  case iso9660 = "application/x-iso9660-image"
  case diskImage = "application/x-raw-disk-image"
  case ewf = "application/x-ewf-disk-image"

  /// Whether it is a still picture, or an animation of pictures.
  public var isPicture: Bool { rawValue.hasPrefix("image/") }

  /// Whether it is a container of moving pictures; Ogg may hold sound alone.
  public var isVideo: Bool { rawValue.hasPrefix("video/") || self == .ogg }

  /// Whether it holds members, which are contents of their own; a compressed file has one.
  public var isArchive: Bool { format?.isArchive == true }

  /// Whether it is a medium, or the image of one: with volumes and files. An ISO 9660 image is an archive as well.
  public var isDiskImage: Bool { diskFormat != nil }

  /// Whether ``DecoderPool`` makes a plane of it.
  public var isDecodable: Bool { format != nil && !isArchive && !isVideo }

  /// Whether further pictures may lie within its file: thumbnails, previews.
  public var mayHoldPictures: Bool { [.jpeg, .png, .apng, .webp, .photoshop, .tiff, .heic, .avif, .cameraRaw].contains(self) }

  /// Whether ``DecoderPool`` takes frames of it: videos, and pictures that may move.
  public var hasFrames: Bool { framesFormat != nil }

  package var format: DecodeRequest.Format? {
    switch self {
    case .jpeg: .jpeg
    case .png, .apng: .png
    case .webp: .webp
    case .gif: .gif
    case .bmp: .bmp
    case .tiff: .tiff
    case .heic, .avif: .heif
    case .jxl: .jxl
    case .icon: .icon
    case .pnm: .pnm
    case .targa: .targa
    case .jpeg2000: .jpeg2000
    case .photoshop: .photoshop
    case .cameraRaw: .cameraRaw
    case .zip: .zip
    case .tar: .tar
    case .gzip: .gzip
    case .bzip2: .bzip2
    case .xz: .xz
    case .zstandard: .zstandard
    case .sevenZip: .sevenZip
    case .rar: .rar
    case .cabinet: .cabinet
    case .iso9660: .iso9660
    case .pdf: .pdf
    case .mp4, .quickTime, .threeGPP: .mov
    case .matroska, .webm: .matroska
    case .avi: .avi
    case .mpegProgram: .mpegProgram
    case .mpegTransport: .mpegTransport
    case .asf: .asf
    case .flv: .flv
    case .ogg: .ogg
    case .diskImage, .ewf: nil
    }
  }

  package var diskFormat: DecodeRequest.Format? {
    switch self {
    case .diskImage, .iso9660: .disk
    case .ewf: .ewf
    default: nil
    }
  }

  package var framesFormat: DecodeRequest.Format? {
    switch self {
    case .gif: .gifFrames
    case .webp: .webpFrames
    case .apng: .pngFrames
    default: format?.isVideo == true ? format : nil
    }
  }
}
