import Foundation

extension Data {
  /// Reads Base64 in the one form that the bytes have: no two texts stand for the same signature.
  package init?(strictBase64 text: some StringProtocol) {
    self.init(base64Encoded: String(text))
    guard base64EncodedString() == text else { return nil }
  }
}
