// Has what the compiler hardens: a buffer on the stack that a fortified function writes to. Never run.
#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  char buffer[64];
  for (int i = 0; i < argc; ++i) {
    std::strcpy(buffer, argv[i]);
    std::puts(buffer);
  }
  return 0;
}
