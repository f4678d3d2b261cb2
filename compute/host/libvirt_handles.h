#pragma once

// Owners for libvirt's reference-counted handles, and its last error as ours. Only this folder's libvirt_* files
// include it.

#include <fmt/format.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"

namespace virga::compute {

struct DomainCloser {
  void operator()(virDomainPtr domain) const { virDomainFree(domain); }
};
using DomainHandle = std::unique_ptr<virDomain, DomainCloser>;

/// Shared, because a call that outlived its deadline still uses the connection while a new one has replaced it.
using ConnectionHandle = std::shared_ptr<virConnect>;

/// The code of the last failed call of this thread.
inline int last_libvirt_code() {
  const auto* error = virGetLastError();
  return error == nullptr ? VIR_ERR_OK : error->code;
}

/// The last failed call of this thread as an error. A broken connection is `unavailable`, everything else internal.
inline Error last_libvirt_error(std::string_view where) {
  const auto* error = virGetLastError();
  if (error == nullptr) return internal_error(fmt::format("{}: libvirt gave no reason", where));
  auto context = fmt::format("{}: {}", where, error->message == nullptr ? "no message" : error->message);
  if (error->domain == VIR_FROM_RPC || error->code == VIR_ERR_RPC || error->code == VIR_ERR_NO_CONNECT ||
      error->code == VIR_ERR_INVALID_CONN || error->code == VIR_ERR_OPERATION_TIMEOUT) {
    return {Code::unavailable, "The hypervisor is not available", std::move(context)};
  }
  return internal_error(std::move(context));
}

/// A string that libvirt allocated.
struct LibvirtString {
  char* text = nullptr;
  explicit LibvirtString(char* owned) : text(owned) {}
  LibvirtString(const LibvirtString&) = delete;
  LibvirtString& operator=(const LibvirtString&) = delete;
  ~LibvirtString() { free(text); }
};

}  // namespace virga::compute
