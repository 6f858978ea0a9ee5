// The only program that parses hostile bytes. It is started by muhafiz with three descriptors, shuts itself in, and then
// turns pictures in one shared memory into luma planes in another until its socket is closed.

import CMedia
import CSandbox
import Decoding
import Glibc

guard cm_prepare() == 0, let service = DecoderService() else { exit(70) }
var report = cs_report()
// Address space for the largest plane, the largest picture and the work of decoding them.
guard cs_enter(UInt64(DecodingLimits().memory), &report) == 0 else { exit(71) }
service.run(report)
