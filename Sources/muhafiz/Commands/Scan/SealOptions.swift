import ArgumentParser
import Foundation
import Scanning
import SystemPackage

/// Contents that are kept for somebody else to read.
struct SealOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Keep what matches, encrypted to this certificate of the competent authority; only it can read that.",
      valueName: "cert.pem"))
  var sealTo: String?
  @Option(help: ArgumentHelp("Where it is kept.", valueName: "folder")) var sealedFolder: String?

  var isAsked: Bool { sealTo != nil || sealedFolder != nil }

  func folder() throws -> SealedFolder? {
    guard let sealTo, let sealedFolder else {
      if isAsked { throw UsageError("--seal-to and --sealed-folder go together") }
      return nil
    }
    guard let pem = FileManager.default.contents(atPath: sealTo) else { throw UsageError("cannot read \(sealTo)") }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: sealedFolder, isDirectory: &isFolder), isFolder.boolValue else {
      throw UsageError("\(sealedFolder) is no folder")
    }
    let folder = try SealedFolder(FilePath(sealedFolder), sealingTo: [UInt8](pem))
    complain("what matches is sealed to the certificate with SHA-256 \(folder.recipient.hex)")
    return folder
  }
}
