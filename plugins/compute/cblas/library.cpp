#include "library.hpp"

#include <dlfcn.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <list>
#include <mutex>
#include <stdexcept>

#include "../blas.hpp"

namespace khost::cblas {
namespace {

template <class Function>
Function* symbol(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

// What tells one build of a library from another where it does not say so itself. FNV-1a.
std::string fingerprint(const std::string& file) {
  std::uint64_t hash = 0xcbf29ce484222325;
  std::ifstream in(file, std::ios::binary);
  char block[1 << 16];
  while (in.read(block, sizeof block), in.gcount() > 0)
    for (std::streamsize i = 0; i < in.gcount(); ++i) hash = (hash ^ static_cast<unsigned char>(block[i])) * 0x100000001b3;
  char text[32];
  std::snprintf(text, sizeof text, "file %016llx", static_cast<unsigned long long>(hash));
  return text;
}

// The runtimes that fight libgomp, the host's, for the cores.
const char* second_openmp() {
  for (const char* name : {"libiomp5.so", "libomp.so.5", "libomp.so"})
    if (void* found = dlopen(name, RTLD_NOLOAD | RTLD_LAZY)) {
      dlclose(found);
      return name;
    }
  return nullptr;
}

// A product whose every entry differs, with rows apart, transposed, accumulated: what a library with 64-bit sizes, or one for
// another machine's ABI, gets wrong.
bool multiplies(Sgemm* sgemm) {
  const float a[] = {1, 2, -9, 3, 4, -9, 5, 6, -9};  // 3 x 2 with rows 3 apart: its transpose is 2 x 3
  const float b[] = {1, 2, 3, 4, 5, 6};              // 3 x 2
  float c[] = {10, 20, -7, 30, 40, -7};              // 2 x 2 with rows 3 apart
  const float expected[] = {2 * 35 + 10, 2 * 44 + 20, -7, 2 * 44 + 30, 2 * 56 + 40, -7};
  sgemm(blas::row_major, blas::transposed, blas::plain, 2, 2, 3, 2.0f, a, 3, b, 2, 1.0f, c, 3);
  return std::ranges::equal(c, expected);  // small integers: exact in any order
}

Library load(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    throw std::runtime_error(
        "there is no file " + path + " (" + std::strerror(errno) +
        ")\n'library' is the path of a CBLAS, relative to the manifest; docs/plugins/compute.md names those of "
        "MKL, AOCL, ATLAS and netlib");
  if (S_ISDIR(status.st_mode))
    throw std::runtime_error(path + " is a folder\n'library' is the path of the file itself, such as libblas.so.3 in it");
  const bool openmp_before = second_openmp() != nullptr;
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    throw std::runtime_error(std::string("the library cannot be loaded: ") + dlerror() +
                             "\nit has to be a shared library for this machine, with all that it needs installed (ldd shows it)");
  Library library;
  library.path = path;
  library.sgemm = symbol<Sgemm>(handle, "cblas_sgemm");
  if (!library.sgemm)
    throw std::runtime_error(
        path +
        " has no function cblas_sgemm: it is no CBLAS\n"
        "where the Fortran interface comes in a file of its own, name the other one (ATLAS: libcblas.so.3; MKL: libmkl_rt.so)");

  // MKL chooses its layers with its first call. LP64: 32-bit sizes; the GNU layer runs on libgomp, as the host does.
  if (auto* layer = symbol<int(int)>(handle, "MKL_Set_Interface_Layer")) layer(0);
  if (auto* layer = symbol<int(int)>(handle, "MKL_Set_Threading_Layer")) layer(3);
  if (const char* runtime = second_openmp(); runtime && !openmp_before)
    throw std::runtime_error(path + " brings " + runtime +
                             ", a second OpenMP runtime: beside the host's libgomp both run at half speed\n"
                             "take its build for GNU OpenMP (MKL: libmkl_rt.so, which khost asks for its GNU layer; AOCL: the "
                             "gcc build of libblis-mt.so)");
  if (auto* parallel = symbol<int()>(handle, "openblas_get_parallel"); parallel && parallel() == 1)
    throw std::runtime_error(
        path +
        " is the pthread flavour of OpenBLAS, whose threads fight the host's for the cores\n"
        "take the OpenMP one (Debian package libopenblas0-openmp), or {\"plugin\": \"openblas\"}, which uses it");
  if (!multiplies(library.sgemm))
    throw std::runtime_error(path +
                             " gives a wrong product for a 2 x 2 matrix: it is damaged, or a build with 64-bit sizes (ILP64)\n"
                             "name the build with 32-bit sizes (LP64), the one without 64 or ilp64 in its name");

  for (const char* name : {"openblas_set_num_threads", "MKL_Set_Num_Threads"})
    if (!library.set_threads) library.set_threads = symbol<void(int)>(handle, name);
  library.set_threads_wide = symbol<void(std::int64_t)>(handle, "bli_thread_set_num_threads");  // AOCL
  Dl_info where{};  // a link, or a stub that another file answers for, resolved
  dladdr(reinterpret_cast<const void*>(library.sgemm), &where);
  std::error_code failed;
  const std::filesystem::path file = std::filesystem::canonical(where.dli_fname ? where.dli_fname : path.c_str(), failed);
  library.name = failed ? path : file.filename().string();
  library.version = fingerprint(failed ? path : file.string());
  library.kernel = "unknown";
  if (auto* core = symbol<char*()>(handle, "openblas_get_corename")) library.kernel = core();
  return library;
}

// One UTF-16 unit or a whole character, as UTF-8.
void append_utf8(std::string& out, std::uint32_t code) {
  const auto byte = [&](std::uint32_t value) { out += static_cast<char>(value); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | code >> 6), byte(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    byte(0xe0 | code >> 12), byte(0x80 | (code >> 6 & 0x3f)), byte(0x80 | (code & 0x3f));
  } else {
    byte(0xf0 | code >> 18), byte(0x80 | (code >> 12 & 0x3f)), byte(0x80 | (code >> 6 & 0x3f)), byte(0x80 | (code & 0x3f));
  }
}

// From the opening quote; leaves `p` behind the closing one.
std::string read_string(const char*& p) {
  const auto unit = [&] {
    std::uint32_t code = 0;
    for (int i = 0; i < 4 && p[1]; ++i) {
      const char c = *++p;
      code = code << 4 | static_cast<std::uint32_t>(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return code;
  };
  std::string out;
  for (++p; *p && *p != '"'; ++p) {
    if (*p != '\\') {
      out += *p;
      continue;
    }
    ++p;
    if (*p == 'u') {
      std::uint32_t code = unit();
      if (code >= 0xd800 && code < 0xdc00 && p[1] == '\\' && p[2] == 'u') {
        p += 2;
        code = 0x10000 + ((code - 0xd800) << 10) + (unit() - 0xdc00);
      }
      append_utf8(out, code);
    } else if (*p) {
      static constexpr const char* names = "bfnrt";
      static constexpr const char* values = "\b\f\n\r\t";
      const char* escape = std::strchr(names, *p);
      out += escape ? values[escape - names] : *p;
    } else {
      break;
    }
  }
  if (*p) ++p;
  return out;
}

}  // namespace

std::string string_of(const char* json, const char* key) {
  bool wanted = false;
  for (const char* p = json; *p;) {
    if (*p == ',') wanted = false;
    if (*p != '"') {
      ++p;
      continue;
    }
    std::string text = read_string(p);
    if (wanted) return text;
    while (*p == ' ') ++p;
    wanted = *p == ':' && text == key;
  }
  return "";
}

const Library& open_library(const std::string& path) {
  static std::mutex mutex;
  static auto* const opened = new std::list<Library>;  // never destroyed: a trial may end after main does
  const std::lock_guard lock(mutex);
  for (const Library& library : *opened)
    if (library.path == path) return library;
  return opened->emplace_back(load(path));
}

}  // namespace khost::cblas
