#pragma once

// Building and reading rtnetlink messages with libnl, for the netlink*.cpp files only.

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <arpa/inet.h>

#include <cstring>
#include <functional>
#include <memory>

#include "core/assert.h"
#include "network/host/address.h"

namespace virga::network {

/// A message under construction. Its attributes always fit: a message has a page and ours have a handful.
class Message {
 public:
  template <class Header>
  Message(int type, int flags, const Header& header) : message_(::nlmsg_alloc_simple(type, flags)) {
    VIRGA_ASSERT(message_ != nullptr);
    VIRGA_ASSERT(::nlmsg_append(message_.get(), const_cast<Header*>(&header), sizeof header, NLMSG_ALIGNTO) == 0);
  }
  /// A header inside an attribute.
  template <class Header>
  void put_header(const Header& header) {
    VIRGA_ASSERT(::nlmsg_append(message_.get(), const_cast<Header*>(&header), sizeof header, NLMSG_ALIGNTO) == 0);
  }
  void put(int type, const void* bytes, std::size_t size) {
    VIRGA_ASSERT(::nla_put(message_.get(), type, static_cast<int>(size), bytes) == 0);
  }
  void put_u32(int type, std::uint32_t value) { put(type, &value, sizeof value); }
  void put_u16(int type, std::uint16_t value) { put(type, &value, sizeof value); }
  void put_u8(int type, std::uint8_t value) { put(type, &value, sizeof value); }
  void put_text(int type, const std::string& text) { put(type, text.c_str(), text.size() + 1); }
  void put_mac(int type, const Mac& mac) { put(type, mac.bytes.data(), mac.bytes.size()); }
  void put_address(int type, Ipv4 address) { put_u32(type, htonl(address.value)); }
  /// Attributes put until end() go inside one of `type`.
  nlattr* begin(int type) {
    nlattr* nest = ::nla_nest_start(message_.get(), type);
    VIRGA_ASSERT(nest != nullptr);
    return nest;
  }
  void end(nlattr* nest) { ::nla_nest_end(message_.get(), nest); }
  nl_msg* get() { return message_.get(); }

 private:
  struct Free {
    void operator()(nl_msg* message) const { ::nlmsg_free(message); }
  };
  std::unique_ptr<nl_msg, Free> message_;
};

/// The attributes of a received message behind its header.
template <class Header, std::size_t size>
class Attributes {
 public:
  explicit Attributes(nlmsghdr* message) {
    ::nlmsg_parse(message, sizeof(Header), table_, static_cast<int>(size) - 1, nullptr);
  }
  nlattr* operator[](int type) const { return table_[type]; }
  bool has(int type, int length) const { return table_[type] != nullptr && ::nla_len(table_[type]) >= length; }
  std::uint32_t u32(int type) const { return has(type, 4) ? ::nla_get_u32(table_[type]) : 0; }
  std::string text(int type) const { return has(type, 1) ? ::nla_get_string(table_[type]) : std::string(); }
  Ipv4 address(int type) const { return {ntohl(u32(type))}; }
  Mac mac(int type) const {
    Mac mac;
    if (has(type, 6)) std::memcpy(mac.bytes.data(), ::nla_data(table_[type]), 6);
    return mac;
  }

 private:
  nlattr* table_[size] = {};
};

/// A request for all objects of the header's family.
template <class Header>
Message list_request(int type, const Header& header) {
  return Message(type, NLM_F_REQUEST | NLM_F_DUMP, header);
}

/// For Netlink::dump(): gives `each` the header and the attributes of every object of the answer.
template <class Header, std::size_t size, class Each>
std::function<void(nlmsghdr*)> reading(Each each) {
  return [each](nlmsghdr* answer) {
    each(*static_cast<const Header*>(::nlmsg_data(answer)), Attributes<Header, size>(answer));
  };
}

}  // namespace virga::network
