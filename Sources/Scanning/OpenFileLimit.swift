import Glibc

/// Raises the limit of open files where the system lets it: the usual one is below what hundreds of transfers need, or many
/// workers that each keep the folders of their files open.
func allowManyOpenFiles() {
  var limit = rlimit()
  guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < min(limit.rlim_max, 8192) else {
    return
  }
  limit.rlim_cur = min(limit.rlim_max, 8192)
  _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}
