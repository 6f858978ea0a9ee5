import ArgumentParser
import Decoding
import Scanning

/// What a scan looks for on disk images.
struct DiskImageOptions: ParsableArguments {
  @Flag(help: "Take disk images as they are: no file on them is looked at.") var noDiskImages = false
  @Flag(inversion: .prefixedNo, help: "On disk images, look at deleted files too.") var deleted = true
  @Flag(help: "On disk images, look for pictures and videos in space that no file occupies.") var carve = false
  @Flag(help: "Do not digest disk images as a whole: each is then read once instead of twice.")
  var noSourceDigest = false

  /// Puts what was asked for into a scan's options.
  func apply(to options: inout ScanOptions) {
    options.sourceDigests = !noSourceDigest
    if noDiskImages { return }
    var disk: DiskOptions = []
    if deleted { disk.insert(.deleted) }
    if carve { disk.insert(.carved) }
    if options.archives { disk.insert(.archives) }
    options.diskImages = disk
  }
}
