#include "api/http/sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace virga::http {
namespace {

constexpr int backlog = 1024;

Error system_error(const std::string& what) {
  return internal_error(what + ": " + std::generic_category().message(errno));
}

struct Address {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  template <class T>
  T& as() {
    return reinterpret_cast<T&>(storage);
  }
};

Result<Address> parse_address(const std::string& text, std::uint16_t port) {
  Address address;
  if (inet_pton(AF_INET, text.c_str(), &address.as<sockaddr_in>().sin_addr) == 1) {
    address.as<sockaddr_in>().sin_family = AF_INET;
    address.as<sockaddr_in>().sin_port = htons(port);
    address.length = sizeof(sockaddr_in);
    return address;
  }
  if (inet_pton(AF_INET6, text.c_str(), &address.as<sockaddr_in6>().sin6_addr) == 1) {
    address.as<sockaddr_in6>().sin6_family = AF_INET6;
    address.as<sockaddr_in6>().sin6_port = htons(port);
    address.length = sizeof(sockaddr_in6);
    return address;
  }
  return fail(Code::invalid_parameter_value, "'" + text + "' is not an IPv4 or IPv6 address to listen on.");
}

Result<Address> unix_address(const std::string& path) {
  Address address;
  auto& name = address.as<sockaddr_un>();
  if (path.empty() || path.size() >= sizeof(name.sun_path))
    return fail(internal_error("socket path is empty or longer than " + std::to_string(sizeof(name.sun_path) - 1) +
                               " bytes: " + path));
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.c_str(), path.size() + 1);
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

UniqueFd make_socket(int family) { return UniqueFd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

Result<void> remove_stale(const std::string& path, const Address& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return fail(system_error("look at " + path));
  }
  if (!S_ISSOCK(status.st_mode)) return fail(internal_error(path + " exists and is not a socket"));
  const UniqueFd probe = make_socket(AF_UNIX);
  if (!probe) return fail(system_error("make a socket"));
  // A full backlog (EAGAIN) also means that somebody is there.
  if (::connect(probe.get(), address.get(), address.length) == 0 || errno == EAGAIN)
    return fail(Code::unavailable, "Another program serves this socket already.", path);
  if (errno != ECONNREFUSED) return fail(system_error("probe " + path));
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail(system_error("remove stale " + path));
  return {};
}

}  // namespace

Result<std::pair<UniqueFd, std::uint16_t>> listen_tcp_socket(const std::string& text, std::uint16_t port) {
  Address address = TRY(parse_address(text, port));
  const std::string where = text + " port " + std::to_string(port);
  UniqueFd fd = make_socket(address.get()->sa_family);
  if (!fd) return fail(system_error("make a socket"));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(fd.get(), address.get(), address.length) != 0 || ::listen(fd.get(), backlog) != 0) {
    if (errno == EADDRINUSE) return fail(Code::unavailable, "Another program listens on " + where + ".");
    return fail(system_error("listen on " + where));
  }
  address.length = sizeof(address.storage);
  if (::getsockname(fd.get(), address.get(), &address.length) != 0) return fail(system_error("getsockname"));
  // Both families have the port at the same place.
  return std::pair(std::move(fd), ntohs(address.as<sockaddr_in>().sin_port));
}

Result<std::pair<UniqueFd, UnixSocketFile>> listen_unix_socket(const std::string& path, unsigned mode) {
  const Address address = TRY(unix_address(path));
  TRY_VOID(remove_stale(path, address));
  UniqueFd fd = make_socket(AF_UNIX);
  if (!fd) return fail(system_error("make a socket"));
  if (::bind(fd.get(), address.get(), address.length) != 0) return fail(system_error("bind " + path));
  UnixSocketFile file(path);
  // Before listen() nobody can connect, whatever the umask made of the mode.
  if (::chmod(path.c_str(), static_cast<mode_t>(mode)) != 0) return fail(system_error("chmod " + path));
  if (::listen(fd.get(), backlog) != 0) return fail(system_error("listen on " + path));
  return std::pair(std::move(fd), std::move(file));
}

UnixSocketFile::UnixSocketFile(std::string path) : path_(std::move(path)) {
  struct stat status {};
  if (::lstat(path_.c_str(), &status) != 0) {
    path_.clear();
    return;
  }
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

UnixSocketFile::~UnixSocketFile() {
  struct stat status {};
  if (path_.empty() || ::lstat(path_.c_str(), &status) != 0) return;
  if (status.st_dev == device_ && status.st_ino == inode_) ::unlink(path_.c_str());
}

Result<void> prepare_adopted(int fd) {
  int listening = 0;
  socklen_t length = sizeof(listening);
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0) return fail(system_error("adopt"));
  if (listening == 0) return fail(internal_error("the socket to adopt does not listen"));
  if (::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) != 0 || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
    return fail(system_error("adopt"));
  return {};
}

HttpPeer peer_of(int fd) {
  HttpPeer peer;
  Address address;
  if (::getpeername(fd, address.get(), &address.length) != 0) return peer;
  if (address.get()->sa_family == AF_UNIX) {
    peer.address = "unix";
    ucred credentials{};
    socklen_t length = sizeof(credentials);
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return peer;
    peer.uid = credentials.uid;
    peer.pid = credentials.pid;
    return peer;
  }
  char text[INET6_ADDRSTRLEN] = "";
  peer.port = ntohs(address.as<sockaddr_in>().sin_port);
  if (address.get()->sa_family == AF_INET) {
    ::inet_ntop(AF_INET, &address.as<sockaddr_in>().sin_addr, text, sizeof(text));
  } else {
    const auto& ip6 = address.as<sockaddr_in6>().sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&ip6))
      ::inet_ntop(AF_INET, ip6.s6_addr + 12, text, sizeof(text));
    else
      ::inet_ntop(AF_INET6, &ip6, text, sizeof(text));
  }
  peer.address = text;
  return peer;
}

}  // namespace virga::http
