import Decoding
import Foundation
import Hashing
import TestSupport
import Testing

/// A PDF of given objects, numbered from 3, with a table of where they are.
private func pdf(_ objects: [(dictionary: String, bytes: [UInt8])]) -> [UInt8] {
  var file = Array("%PDF-1.4\n".utf8)
  var places: [Int] = []
  func add(_ body: [UInt8]) {
    places.append(file.count)
    file += Array("\(places.count) 0 obj\n".utf8) + body + Array("\nendobj\n".utf8)
  }
  add(Array("<< /Type /Catalog /Pages 2 0 R >>".utf8))
  add(Array("<< /Type /Pages /Kids [] /Count 0 >>".utf8))
  for (dictionary, bytes) in objects {
    add(Array("<< \(dictionary) /Length \(bytes.count) >>\nstream\n".utf8) + bytes + Array("\nendstream".utf8))
  }
  let table = file.count
  file += Array("xref\n0 \(places.count + 1)\n0000000000 65535 f \n".utf8)
  for place in places {
    let digits = String(place)
    file += Array("\(String(repeating: "0", count: 10 - digits.count))\(digits) 00000 n \n".utf8)
  }
  return file + Array("trailer\n<< /Root 1 0 R /Size \(places.count + 1) >>\nstartxref\n\(table)\n%%EOF\n".utf8)
}

private func image(_ width: Int, _ height: Int, _ more: String) -> String {
  "/Type /XObject /Subtype /Image /Width \(width) /Height \(height) \(more)"
}

extension ArchiveTests {
  private static let photo = try! [UInt8](Data(contentsOf: Corpus.packageRoot.appending(path: "testdata/pictures/dunes.jpg")))

  @Test func picturesAndFilesOfAPDFAreItsMembers() throws {
    let gray = (0..<6).map { UInt8($0 * 40) }
    let colours = (0..<18).map { UInt8($0 * 10) }
    let told = try read(
      pdf([
        (image(320, 240, "/Filter /DCTDecode /ColorSpace /DeviceRGB /BitsPerComponent 8"), Self.photo),
        (image(3, 2, "/ColorSpace /DeviceGray /BitsPerComponent 8"), gray),
        (image(3, 2, "/ColorSpace [/CalRGB << >>] /BitsPerComponent 8"), colours),
        (image(3, 2, "/ColorSpace [/Indexed /DeviceRGB 1 <000102 fffefd>] /BitsPerComponent 1"), [0b0100_0000, 0b1010_0000]),
        (image(3, 2, "/ImageMask true"), [0b0100_0000, 0b1010_0000]),
        (image(1, 1, "/ColorSpace /DeviceCMYK /BitsPerComponent 8"), [255, 0, 0, 51]),
        (image(2, 1, "/ColorSpace /DeviceGray /BitsPerComponent 16"), [1, 2, 3, 4]),
        (image(3, 2, "/ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /ASCIIHexDecode"), Array("002850 78A0C8>".utf8)),
        ("/Type /EmbeddedFile", Array("a note\n".utf8)), ("/Type /Metadata", Array("<x/>".utf8)),
      ]))
    #expect(told.ending == nil && told.failures.isEmpty && told.unopened.isEmpty)
    let expected: [String: [UInt8]] = [
      "images/3.jpg": Self.photo, "images/4.pgm": Array("P5\n3 2\n255\n".utf8) + gray,
      "images/5.ppm": Array("P6\n3 2\n255\n".utf8) + colours,
      "images/6.ppm": Array("P6\n3 2\n255\n".utf8) + [0, 1, 2, 255, 254, 253, 0, 1, 2, 255, 254, 253, 0, 1, 2, 255, 254, 253],
      "images/7.pgm": Array("P5\n3 2\n255\n".utf8) + [0, 255, 0, 255, 0, 255],
      "images/8.ppm": Array("P6\n1 1\n255\n".utf8) + [0, 204, 204], "images/9.pgm": Array("P5\n2 1\n255\n".utf8) + [1, 3],
      "images/10.pgm": Array("P5\n3 2\n255\n".utf8) + gray, "files/11": Array("a note\n".utf8),
    ]
    #expect(Set(told.paths) == Set(expected.keys))
    for (path, bytes) in expected { #expect(told.members[path] == bytes, "\(path)") }
  }

  @Test func aPDFWithoutPicturesHasNoMembers() throws {
    #expect(try read(pdf([])) == Told())
  }

  @Test func whatKeepsAPictureOfAPDFBackIsNamed() throws {
    let told = try read(
      pdf([
        (image(9, 9, "/ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /CCITTFaxDecode"), [0, 1]),
        (image(9, 9, "/ColorSpace [/Separation /Gold /DeviceCMYK 1 0 R] /BitsPerComponent 8"), [UInt8](repeating: 0, count: 81)),
        (image(9, 9, "/ColorSpace [/Indexed [] 1 <00>] /BitsPerComponent 8"), [UInt8](repeating: 0, count: 81)),
        (image(9, 9, "/ColorSpace /DeviceGray /BitsPerComponent 8"), [1, 2, 3]),
        (image(0, 9, "/ColorSpace /DeviceGray /BitsPerComponent 8"), [1, 2, 3]),
        (image(65_000, 65_000, "/ColorSpace /DeviceGray /BitsPerComponent 8"), [1, 2, 3]),
      ]))
    #expect(told.ending == nil && told.members.values.allSatisfy(\.isEmpty) && told.paths.count == 6)
    #expect(
      (3...8).map { told.failures["images/\($0)"]?.code }
        == [.unsupported, .unsupported, .unsupported, .broken, .broken, .limit])
    #expect(told.failures["images/3"]?.reason.contains("CCITTFaxDecode") == true)
  }

  @Test func aFileWithinAPDFIsOpenedWhereItIsAnArchive() throws {
    let inner = try archive("plain.zip")
    let told = try read(pdf([("/Type /EmbeddedFile", inner), ("/Type /EmbeddedFile", pdf([("/Type /EmbeddedFile", [1])]))]))
    #expect(told.ending == nil && told.unopened.isEmpty)
    #expect(told.members["files/3"] == inner && told.members["files/3/note.txt"] != nil && told.members["files/4/files/3"] == [1])
  }

  @Test func brokenPDFsAreNeverTakenForWholeOnes() throws {
    let file = pdf([(image(320, 240, "/Filter /DCTDecode /ColorSpace /DeviceRGB /BitsPerComponent 8"), Self.photo)])
    let nothing = try read(Array("%PDF-1.4\nnothing of a document\n".utf8))
    #expect(nothing.ending?.code == .broken, "\(String(describing: nothing.ending))")
    // A reader mends the table: what is there comes out, or the rest is missing by name.
    var generator = SeededGenerator(seed: 71)
    for _ in 0..<100 {
      var changed = file
      for _ in 0..<Int.random(in: 1...8, using: &generator) {
        let place =
          Bool.random(using: &generator)
          ? Int.random(in: 0..<300, using: &generator) : Int.random(in: file.count - 300..<file.count, using: &generator)
        changed[place] = UInt8.random(in: 0...255, using: &generator)
      }
      let told = try read(changed, as: .pdf)
      #expect(told.ending?.code != .crashed && told.failures.values.allSatisfy { $0.code != .crashed }, "seed 71")
    }
  }
}
