// The lab's own tests. They need root, and say so instead of failing one by one.
#include <unistd.h>

#include <cstdio>

#define CATCH_CONFIG_RUNNER
#include "test/catch.hpp"

int main(int argc, char** argv) {
  if (::geteuid() != 0) {
    std::fputs("lab_tests: needs root, for network namespaces (sudo)\n", stderr);
    return 77;
  }
  return Catch::Session().run(argc, argv);
}
