// Catch2's main with two options more.
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "test/fuzz/length.hpp"

hopwise::fuzz::Length& hopwise::fuzz::length() {
  static Length asked;
  return asked;
}

int main(int argc, char** argv) {
  hopwise::fuzz::Length& length = hopwise::fuzz::length();
  std::vector<char*> rest{argv[0]};
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if ((option == "--packets" || option == "--seed") && i + 1 < argc)
      (option == "--seed" ? length.seed : length.packets) = std::strtoull(argv[++i], nullptr, 0);
    else
      rest.push_back(argv[i]);
  }
  std::printf("fuzz: --packets %llu --seed %llu\n", static_cast<unsigned long long>(length.packets),
              static_cast<unsigned long long>(length.seed));
  return Catch::Session().run(static_cast<int>(rest.size()), rest.data());
}
