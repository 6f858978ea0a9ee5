/// A borrowed view of a picture's luminance: `height` rows of `width` samples, row-major, no padding.
///
/// The samples belong to whoever made the view and must outlive it: a view is passed down a call
/// and never kept.
public struct LumaPlane {
  /// Samples of 0…255, as a decoder delivers them.
  public enum Samples {
    /// Gray pictures and the luma channel of JPEG, one byte a sample.
    case bytes(UnsafeBufferPointer<UInt8>)
    /// Colour pictures: 0.299 R + 0.587 G + 0.114 B summed in double precision, rounded once.
    case floats(UnsafeBufferPointer<Float>)
  }

  public let width: Int
  public let height: Int
  public let samples: Samples

  /// - Precondition: There are exactly `width × height` samples, and both are at least 1.
  public init(width: Int, height: Int, samples: Samples) {
    let count =
      switch samples {
      case .bytes(let buffer): buffer.count
      case .floats(let buffer): buffer.count
      }
    precondition(width >= 1 && height >= 1 && count == width * height, "samples do not fill the plane")
    self.width = width
    self.height = height
    self.samples = samples
  }
}
