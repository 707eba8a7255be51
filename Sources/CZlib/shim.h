// zlib: inflate for gzip files, and its checksum.
#include <zlib.h>
