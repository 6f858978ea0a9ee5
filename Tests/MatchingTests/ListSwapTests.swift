import Foundation
import Glibc
import Hashing
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Matching

/// Lists change while they are read.
struct ListSwapTests {
  /// What readers have seen. One for all of them; each adds to it when it is done.
  private final class Sightings: Sendable {
    struct Figures {
      var answers = 0
      var generations: Set<[ListVersion]> = []
      var faults: [String] = []
      /// Durations of loading the blocklist and asking it, in nanoseconds.
      var durations: [UInt64] = []
    }

    let figures = Mutex(Figures())
    let isOver = Atomic(false)
  }

  private static let generations = 4

  /// Two lists of which each version has one digest of its own and one that all versions have.
  private struct Lists {
    let home = try! TemporaryDirectory(inMemory: true)
    let catalog: ListCatalog
    let shared: Digest
    /// The digest of each version of each list.
    var own: [ListVersion: Digest] = [:]

    init() throws {
      catalog = ListCatalog(home: FilePath(home.url.path))
      var generator = SeededGenerator(seed: 7)
      shared = generator.digest()
      for name in ["national", "partner"] {
        for _ in 0..<ListSwapTests.generations {
          let digest = generator.digest()
          own[try addList([digest, shared] + (0..<50).map { _ in generator.digest() }, to: name, in: catalog)] = digest
        }
      }
    }

    /// Asks for all digests; the answers must be those of the versions that the blocklist says it is made of.
    func look() throws -> [ListVersion] {
      let blocklist = try catalog.loadBlocklist()
      let versions = Set(blocklist.versions)
      func lists(_ digest: Digest) throws -> Set<ListVersion> {
        Set(try blocklist.matches(for: Fingerprint(sizeInBytes: 1, digests: [digest])).map(\.list))
      }
      guard try versions.count == 2 && lists(shared) == versions else { throw Mixture(versions: versions) }
      for (version, digest) in own where try lists(digest) != (versions.contains(version) ? [version] : []) {
        throw Mixture(versions: versions)
      }
      return blocklist.versions
    }
  }

  private struct Mixture: Error {
    let versions: Set<ListVersion>
  }

  /// Lets eight threads read until `work` is done.
  private func readers(of lists: Lists, while work: () throws -> Void) throws -> Sightings.Figures {
    let sightings = Sightings()
    let threads = DispatchGroup()
    for _ in 0..<8 {
      threads.enter()
      Thread.detachNewThread {
        var own = Sightings.Figures()
        while !sightings.isOver.load(ordering: .relaxed) {
          let started = DispatchTime.now().uptimeNanoseconds
          do { own.generations.insert(try lists.look()) } catch { own.faults.append("\(error)") }
          own.durations.append(DispatchTime.now().uptimeNanoseconds - started)
          own.answers += 1 + lists.own.count
          // Two cores are to be left some time for whoever swaps.
          usleep(50_000)
        }
        sightings.figures.withLock { all in
          all.answers += own.answers
          all.generations.formUnion(own.generations)
          all.faults += own.faults
          all.durations += own.durations
        }
        threads.leave()
      }
    }
    defer {
      sightings.isOver.store(true, ordering: .relaxed)
      threads.wait()
    }
    try work()
    sightings.isOver.store(true, ordering: .relaxed)
    threads.wait()
    return sightings.figures.withLock(\.self)
  }

  private func percentile99(_ durations: [UInt64]) -> Double {
    durations.isEmpty ? 0 : Double(durations.sorted()[durations.count * 99 / 100]) / 1e6
  }

  @Test func readersSeeOneGenerationOrTheOtherAndNeverAMixture() throws {
    let lists = try Lists()
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    let steady = try readers(of: lists) { usleep(1_000_000) }
    let swaps = 1000
    let versions = lists.own.keys.sorted { ($0.name, $0.version) < ($1.name, $1.version) }
    let swapping = try readers(of: lists) {
      for _ in 0..<swaps { _ = try lists.catalog.activate(versions.randomElement(using: &generator)!) }
    }
    print(
      "swaps: \(swaps) under 8 readers, \(swapping.answers) answers from \(swapping.generations.count) generations, "
        + "\(swapping.faults.count) mixed; p99 of loading and asking \(percentile99(swapping.durations)) ms, "
        + "\(percentile99(steady.durations)) ms without swaps; seed \(seed)")
    #expect(
      swapping.faults.isEmpty && steady.faults.isEmpty, "\((steady.faults + swapping.faults).prefix(3)), seed \(seed)")
    // They did read while the lists changed.
    #expect(swapping.generations.count > 4 && steady.generations.count == 1)
  }
}
