import Glibc
import SystemPackage

extension FilePath {
  /// Whether the path comes before another in the order of their bytes.
  package func precedes(_ other: FilePath) -> Bool {
    withPlatformString { one in other.withPlatformString { strcmp(one, $0) < 0 } }
  }

  /// The bytes of the path, which need not be UTF-8.
  package var bytes: [UInt8] { withPlatformString { Array(UnsafeRawBufferPointer(start: $0, count: length)) } }
}
