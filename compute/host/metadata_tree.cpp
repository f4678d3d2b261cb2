#include "compute/host/metadata_tree.h"

#include "core/json_values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>

namespace virga::compute {
namespace {

MetadataNode leaf(std::string name, std::string value) { return {std::move(name), {}, std::move(value), {}}; }

MetadataNode directory(std::string name, std::vector<MetadataNode> children) {
  std::sort(children.begin(), children.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return {std::move(name), {}, std::nullopt, std::move(children)};
}

// Listings are lines: a name with a control character in it would forge further ones.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '_');
  return text;
}

std::string lines(const std::vector<std::string>& values) { return fmt::format("{}", fmt::join(values, "\n")); }

// The control role wrote it, so it is canonical base64; what is not decodes to nothing.
std::string from_base64(const std::string& text) {
  if (text.size() % 4 != 0) return {};
  std::string bytes(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return {};
  const auto padding =
      static_cast<std::size_t>(std::count(text.end() - std::min<std::ptrdiff_t>(2, std::ssize(text)), text.end(), '='));
  bytes.resize(static_cast<std::size_t>(size) - padding);
  return bytes;
}

const MetadataNic* primary(const Metadata& metadata) {
  const auto found = std::find_if(metadata.nics.begin(), metadata.nics.end(),
                                  [](const MetadataNic& nic) { return nic.device_index == 0; });
  return found == metadata.nics.end() ? nullptr : &*found;
}

// EC2's host names carry the address: "ip-172-31-0-10" and the domain of the instance's own name.
std::string host_name(const Metadata& metadata, const MetadataNic& nic) {
  if (nic.device_index == 0) return metadata.local_hostname;
  auto dashed = nic.private_ip;
  std::replace(dashed.begin(), dashed.end(), '.', '-');
  const auto dot = metadata.local_hostname.find('.');
  return "ip-" + dashed + (dot == std::string::npos ? "" : metadata.local_hostname.substr(dot));
}

MetadataNode interface_tree(const Metadata& metadata, const MetadataNic& nic) {
  std::vector<MetadataNode> nodes = {
      leaf("device-number", std::to_string(nic.device_index)),
      leaf("interface-id", nic.interface.str()),
      leaf("local-hostname", host_name(metadata, nic)),
      leaf("local-ipv4s", nic.private_ip),
      leaf("mac", nic.mac),
      leaf("owner-id", metadata.account),
      leaf("security-group-ids", lines(nic.security_group_ids)),
      leaf("security-groups", lines(nic.security_groups)),
      leaf("subnet-id", nic.subnet.str()),
      leaf("subnet-ipv4-cidr-block", nic.subnet_cidr),
      leaf("vpc-id", nic.vpc.str()),
      leaf("vpc-ipv4-cidr-block", nic.vpc_cidr),
      leaf("vpc-ipv4-cidr-blocks", nic.vpc_cidr),
  };
  if (!nic.public_ip.empty()) {
    nodes.push_back(directory("ipv4-associations", {leaf(nic.public_ip, nic.private_ip)}));
    nodes.push_back(leaf("public-ipv4s", nic.public_ip));
  }
  if (!nic.public_hostname.empty()) nodes.push_back(leaf("public-hostname", nic.public_hostname));
  return directory(nic.mac, std::move(nodes));
}

MetadataNode key_tree(const Metadata& metadata) {
  auto key = directory("0", {leaf("openssh-key", metadata.public_key)});
  key.label = "0=" + one_line(metadata.key_name);
  return directory("public-keys", {std::move(key)});
}

// A key with a slash or a control character cannot be a path segment of a line in a listing; EC2 refuses to show such
// tags of an instance at all.
MetadataNode tag_tree(const Metadata& metadata) {
  std::vector<MetadataNode> children;
  for (const auto& [key, value] : metadata.tags) {
    if (key.find('/') == std::string::npos && key == one_line(key)) children.push_back(leaf(key, value));
  }
  return directory("tags", {directory("instance", std::move(children))});
}

std::vector<MetadataNode> network_leaves(const Metadata& metadata) {
  std::vector<MetadataNode> macs;
  for (const auto& nic : metadata.nics) macs.push_back(interface_tree(metadata, nic));
  std::vector<MetadataNode> nodes;
  nodes.push_back(directory("network", {directory("interfaces", {directory("macs", std::move(macs))})}));
  if (const auto* nic = primary(metadata)) {
    nodes.push_back(leaf("local-ipv4", nic->private_ip));
    nodes.push_back(leaf("mac", nic->mac));
    nodes.push_back(leaf("security-groups", lines(nic->security_groups)));
    if (!nic->public_ip.empty()) nodes.push_back(leaf("public-ipv4", nic->public_ip));
    if (!nic->public_hostname.empty()) nodes.push_back(leaf("public-hostname", nic->public_hostname));
  }
  return nodes;
}

MetadataNode meta_data(const WantedInstance& instance) {
  const auto& metadata = instance.metadata;
  std::vector<MetadataNode> devices;
  for (const auto& [name, device] : metadata.block_devices) devices.push_back(leaf(name, device));
  auto nodes = network_leaves(metadata);
  nodes.insert(
      nodes.end(),
      {leaf("ami-id", metadata.ami_id), leaf("ami-launch-index", std::to_string(metadata.ami_launch_index)),
       leaf("ami-manifest-path", "(unknown)"), directory("block-device-mapping", std::move(devices)),
       leaf("hostname", metadata.local_hostname), leaf("instance-action", "none"),
       leaf("instance-id", instance.id.str()), leaf("instance-life-cycle", "on-demand"),
       leaf("instance-type", metadata.instance_type), leaf("local-hostname", metadata.local_hostname),
       directory("placement", {leaf("availability-zone", metadata.availability_zone), leaf("region", metadata.region)}),
       leaf("profile", "default-hvm"), leaf("reservation-id", metadata.reservation_id),
       directory("services", {leaf("domain", "amazonaws.com"), leaf("partition", "aws")})});
  if (!metadata.public_key.empty()) nodes.push_back(key_tree(metadata));
  if (metadata.options.instance_metadata_tags == "enabled") nodes.push_back(tag_tree(metadata));
  return directory("meta-data", std::move(nodes));
}

std::string identity_document(const WantedInstance& instance) {
  const auto& metadata = instance.metadata;
  const auto* nic = primary(metadata);
  const nlohmann::ordered_json document = {{"accountId", metadata.account},
                                           {"architecture", metadata.architecture},
                                           {"availabilityZone", metadata.availability_zone},
                                           {"billingProducts", nullptr},
                                           {"devpayProductCodes", nullptr},
                                           {"marketplaceProductCodes", nullptr},
                                           {"imageId", metadata.ami_id},
                                           {"instanceId", instance.id.str()},
                                           {"instanceType", metadata.instance_type},
                                           {"kernelId", nullptr},
                                           {"pendingTime", metadata.pending_time},
                                           {"privateIp", nic == nullptr ? "" : nic->private_ip},
                                           {"ramdiskId", nullptr},
                                           {"region", metadata.region},
                                           {"version", "2017-09-30"}};
  return document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

// "%41" -> "A"; nothing if it is malformed.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned value = 0;
    const auto digits = text.substr(i + 1, 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) return std::nullopt;
    decoded += static_cast<char>(value);
    i += 2;
  }
  return decoded;
}

}  // namespace

std::string MetadataNode::listing() const {
  std::vector<std::string> names;
  for (const auto& child : children) {
    names.push_back(!child.label.empty() ? child.label : child.value ? child.name : child.name + "/");
  }
  return lines(names);
}

const std::vector<std::string_view>& metadata_versions() {
  static const std::vector<std::string_view> versions = {
      "1.0",        "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01",
      "2008-09-01", "2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25", "2014-11-05",
      "2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02", "2018-03-28", "2018-08-17", "2018-09-24",
      "2019-10-01", "2020-10-27", "2021-01-03", "2021-03-23", "latest"};
  return versions;
}

MetadataNode metadata_tree(const WantedInstance& instance) {
  std::vector<MetadataNode> nodes;
  nodes.push_back(
      directory("dynamic", {directory("instance-identity", {leaf("document", identity_document(instance))})}));
  nodes.push_back(meta_data(instance));
  if (instance.metadata.has_user_data) nodes.push_back(leaf("user-data", from_base64(instance.metadata.user_data)));
  // On this level EC2 lists directories without their slash.
  for (auto& node : nodes) node.label = node.name;
  return directory("", std::move(nodes));
}

std::optional<std::string> look_up(const MetadataNode& root, std::string_view path) {
  const auto* node = &root;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto name = percent_decoded(path.substr(0, slash));
    if (!name || node->value) return std::nullopt;
    const auto found = std::find_if(node->children.begin(), node->children.end(),
                                    [&](const MetadataNode& child) { return child.name == *name; });
    if (found == node->children.end()) return std::nullopt;
    node = &*found;
    if (slash == std::string_view::npos) break;
    if (node->value) return std::nullopt;  // a leaf's path does not go on
    path.remove_prefix(slash + 1);
  }
  return node->value ? *node->value : node->listing();
}

}  // namespace virga::compute
