import Foundation
import Hashing

/// One request to a server and what it answered: evidence of what was where, and when.
///
/// The hops of a chain lead from a URL over redirects to a content, or to where it failed.
public struct FetchHop: Sendable, Hashable {
  /// How the connection was secured.
  public struct Security: Sendable, Hashable {
    /// As OpenSSL calls it: `TLSv1.3`.
    public let version: String
    /// SHA-256 of the server's certificate.
    public let certificate: Digest

    public init(version: String, certificate: Digest) {
      self.version = version
      self.certificate = certificate
    }
  }

  public struct Header: Sendable, Hashable {
    /// In lower case.
    public let name: String
    public let value: String

    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  public let url: WebURL
  public let startedAt: Date
  /// The address that was connected to; that of the proxy where there is one. `nil` where there was no connection.
  public var address: IPAddress?
  public var port: UInt16?
  /// `nil` for http.
  public var security: Security?
  /// `nil` where there was no answer.
  public var status: Int?
  /// Those that say what the content is and since when it is there.
  public var headers: [Header] = []
  /// Bytes of the body, decompressed.
  public var sizeInBytes: Int64 = 0
  /// SHA-256 of the body; `nil` where it did not come to its end.
  public var digest: Digest?
  /// What ended the chain here.
  public var failure: FetchFailure?

  public init(_ url: WebURL, at time: Date) {
    self.url = url
    startedAt = time
  }
}

/// Where on a page a content is referred to.
public struct PageReference: Sendable, Hashable {
  public let page: WebURL
  /// Name of the element: `img`, `video`, `meta`.
  public let element: String
  /// Which part of it: `src`, `srcset`, `og:image`.
  public let attribute: String
  /// Place among the references of the page, from 0.
  public let order: Int

  public init(page: WebURL, element: String, attribute: String, order: Int) {
    self.page = page
    self.element = element
    self.attribute = attribute
    self.order = order
  }
}
