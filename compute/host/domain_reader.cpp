#include <charconv>
#include <pugixml.hpp>
#include <sstream>

#include "compute/host/domain_xml.h"

namespace virga::compute {
namespace {

// The volume whose id, without its dash, is this serial number.
std::optional<VolumeId> volume_of_serial(std::string_view serial) {
  if (!serial.starts_with("vol")) return std::nullopt;
  auto id = VolumeId::parse("vol-" + std::string(serial.substr(3)));
  if (!id) return std::nullopt;
  return *id;
}

// The element of that volume; an empty node if there is none.
pugi::xml_node disk_of(pugi::xml_document& document, const std::string& xml, const VolumeId& volume) {
  if (!document.load_buffer(xml.data(), xml.size())) return {};
  for (const auto disk : document.child("domain").child("devices").children("disk"))
    if (disk_serial(volume) == disk.child_value("serial")) return disk;
  return {};
}

}  // namespace

std::optional<DomainFacts> read_domain(const std::string& xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size())) return std::nullopt;
  const auto domain = document.child("domain");
  for (const auto mark : domain.child("metadata").children()) {
    // libvirt keeps the prefix, but only the namespace is a promise.
    const std::string_view name = mark.name();
    const auto colon = name.find(':');
    if (colon == std::string_view::npos || name.substr(colon + 1) != "instance") continue;
    const auto declaration = "xmlns:" + std::string(name.substr(0, colon));
    if (std::string_view(mark.attribute(declaration.c_str()).value()) != domain_mark_namespace) continue;
    auto id = InstanceId::parse(mark.attribute("id").value());
    if (!id) return std::nullopt;
    DomainFacts facts{mark.attribute("realm").value(), *id, mark.attribute("start").as_ullong(), {}};
    for (const auto disk : domain.child("devices").children("disk")) {
      if (auto volume = volume_of_serial(disk.child_value("serial"))) facts.disks.push_back(*volume);
    }
    return facts;
  }
  return std::nullopt;
}

std::optional<std::string> find_disk(const std::string& xml, const VolumeId& volume) {
  pugi::xml_document document;
  const auto disk = disk_of(document, xml, volume);
  if (!disk) return std::nullopt;
  std::ostringstream out;
  disk.print(out, " ", pugi::format_indent | pugi::format_no_declaration);
  return out.str();
}

std::optional<std::string> find_disk_target(const std::string& xml, const VolumeId& volume) {
  pugi::xml_document document;
  const std::string name = disk_of(document, xml, volume).child("target").attribute("dev").value();
  return name.empty() ? std::nullopt : std::optional(name);
}

Result<std::string> backup_xml(const std::string& xml, const VolumeId& volume, const std::string& target) {
  pugi::xml_document domain;
  const std::string copied = disk_of(domain, xml, volume).child("target").attribute("dev").value();
  if (copied.empty())
    return fail(Code::incorrect_state, "The volume " + volume.str() + " is not attached to the instance.");
  pugi::xml_document document;
  auto backup = document.append_child("domainbackup");
  backup.append_attribute("mode").set_value("push");
  auto disks = backup.append_child("disks");
  for (const auto disk : domain.child("domain").child("devices").children("disk")) {
    const std::string name = disk.child("target").attribute("dev").value();
    auto entry = disks.append_child("disk");
    entry.append_attribute("name").set_value(name.c_str());
    entry.append_attribute("backup").set_value(name == copied ? "yes" : "no");
    if (name != copied) continue;
    entry.append_attribute("type").set_value("file");
    entry.append_child("driver").append_attribute("type").set_value("qcow2");
    entry.append_child("target").append_attribute("file").set_value(target.c_str());
  }
  std::ostringstream out;
  document.print(out, " ", pugi::format_indent | pugi::format_no_declaration);
  return out.str();
}

namespace {

// "+64055:+64055", as libvirt writes the owner of a guest's process.
std::optional<FileOwner> parse_owner(std::string_view label) {
  FileOwner owner;
  for (auto* number : {&owner.uid, &owner.gid}) {
    if (!label.starts_with('+')) return std::nullopt;
    label.remove_prefix(1);
    const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), *number);
    if (error != std::errc()) return std::nullopt;
    label.remove_prefix(static_cast<std::size_t>(end - label.data()));
    if (label.starts_with(':')) label.remove_prefix(1);
  }
  return owner;
}

}  // namespace

std::optional<FileOwner> read_guest_owner(const std::string& capabilities) {
  pugi::xml_document document;
  if (!document.load_buffer(capabilities.data(), capabilities.size())) return std::nullopt;
  for (const auto model : document.child("capabilities").child("host").children("secmodel")) {
    if (std::string_view(model.child_value("model")) != "dac") continue;
    return parse_owner(model.child_value("baselabel"));
  }
  return std::nullopt;
}

}  // namespace virga::compute
