import Foundation
import Matching
import SystemPackage

/// What a scan was asked to do: what must be the same for its result to be the same.
public struct ScanPlan: Codable, Sendable, Equatable {
  /// The run's identifier: a UUID, in lower case.
  public var run: String
  public var begun: Date
  public var tool: String
  /// The working directory, which paths that do not begin with a slash start from.
  public var folder: String
  /// The command line behind `scan`, for doing the same again.
  public var arguments: [String]
  /// Paths as they were given.
  public var roots: [String]
  /// Options that change what is found, one a word.
  public var options: [String]
  /// The list versions that are asked, and how.
  public var lists: [ListCatalog.Active]
  /// When the scan came to its end; `nil` where it has not.
  public var ended: Date?

  public init(
    run: String, begun: Date, tool: String, folder: String, arguments: [String], roots: [String], options: [String],
    lists: [ListCatalog.Active]
  ) {
    self.run = run
    self.begun = begun
    self.tool = tool
    self.folder = folder
    self.arguments = arguments
    self.roots = roots
    self.options = options
    self.lists = lists
  }

  /// Whether the same paths are scanned, whatever the options.
  public func hasRoots(of other: ScanPlan) -> Bool { roots == other.roots && folder == other.folder }
}
