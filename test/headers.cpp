// Nothing of its own: the target that precompiles headers.hpp needs a source.
#include "test/headers.hpp"
