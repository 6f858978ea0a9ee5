import Foundation
import Glibc
import Matching
import SystemPackage

/// Writes to standard error, past all buffers. Where that fails there is nobody left to tell.
func standardError(_ text: String) {
  do { try FileDescriptor.standardError.writeAll(Array(text.utf8)) } catch {}
}

/// One line on standard error, in the program's name.
func complain(_ text: String) { standardError("muhafiz: \(text.forTerminal)\n") }

extension String {
  /// The text with everything escaped that would move the cursor, change colours or turn the direction of reading: names
  /// come from other people's disks.
  var forTerminal: String {
    var result = ""
    for scalar in unicodeScalars {
      if scalar.properties.generalCategory == .control || scalar.isBidiControl {
        result +=
          scalar.value < 0x100
          ? "\\x" + String(scalar.value + 0x100, radix: 16).dropFirst() : "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// The text, or its end behind `…`, in at most `width` characters.
  func last(_ width: Int) -> String { count <= width ? self : "…" + suffix(max(0, width - 1)) }

  func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }

  func leftPadded(_ width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}

extension FilePath {
  /// The path for people: bytes that are no UTF-8 as `\xNN`.
  var forTerminal: String {
    if let text = String(validating: bytes, as: UTF8.self) { return text.forTerminal }
    return bytes.map { byte in
      (0x20...0x7E).contains(byte) ? String(UnicodeScalar(byte)) : "\\x" + String(UInt16(byte) + 0x100, radix: 16).dropFirst()
    }.joined()
  }
}

extension ScannedItem {
  /// The path, and behind an arrow the member's path within it.
  var placeForTerminal: String {
    let text =
      switch place {
      case .file(let path): path.forTerminal
      case .url(let url): url.forTerminal
      }
    return text + (member.map { " → " + $0.forTerminal } ?? "")
  }
}

extension BinaryInteger {
  /// With commas: `1,234,567`.
  var grouped: String {
    let digits = String(self)
    let first = digits.count % 3
    return digits.enumerated().map { ($0 > 0 && ($0 - first) % 3 == 0 ? "," : "") + String($1) }.joined()
  }

  /// Bytes as people say them: `1.4 GB`.
  var asBytes: String {
    var value = Double(self)
    for unit in ["bytes", "kB", "MB", "GB"] {
      if value < 1000 { return unit == "bytes" ? "\(self) bytes" : String(format: "%.1f %@", value, unit) }
      value /= 1000
    }
    return String(format: "%.1f TB", value)
  }
}
