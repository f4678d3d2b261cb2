#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>

#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "hostapi/client/client.h"

namespace virga::cli {

namespace {

struct Options {
  std::string source;
  std::string image;
  std::string name;
  std::string description;
  std::string account = "default";
  int min_memory_mib = 96;
  bool is_public = true;
  bool json = false;
  int wait_s = 600;
};

/// A file that is removed when its owner goes.
class Download {
 public:
  explicit Download(std::filesystem::path path) : path_(std::move(path)) {}
  ~Download() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  Download(const Download&) = delete;
  Download& operator=(const Download&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

Result<std::unique_ptr<Download>> download(const std::string& url) {
  std::string pattern = (std::filesystem::temp_directory_path() / "virga-image-XXXXXX").string();
  const int fd = mkstemp(pattern.data());
  if (fd < 0) return fail(Code::internal, "No temporary file could be made in " + pattern);
  auto file = std::make_unique<Download>(pattern);
  const std::unique_ptr<FILE, int (*)(FILE*)> out(fdopen(fd, "wb"), fclose);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, out.get());
  if (const auto code = curl_easy_perform(curl.get()); code != CURLE_OK)
    return fail(Code::invalid_parameter_value, fmt::format("{}: {}", url, curl_easy_strerror(code)));
  return file;
}

Result<nlohmann::json> wait_until_imported(const AdminClient& client, const std::string& id, int wait_s) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(wait_s);
  while (true) {
    const auto image = TRY(client.get("/admin/v1/images/" + id));
    if (image.value("state", "") != "pending") return image;
    if (std::chrono::steady_clock::now() >= deadline)
      return fail(Code::unavailable, fmt::format("{} is still being imported after {} s.", id, wait_s));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

Result<nlohmann::json> import(const Context& context, const Options& options) {
  std::unique_ptr<Download> fetched;
  std::filesystem::path file = options.source;
  if (options.source.starts_with("http://") || options.source.starts_with("https://")) {
    fetched = TRY(download(options.source));
    file = fetched->path();
  }
  std::error_code error;
  if (std::filesystem::is_directory(file, error))
    return fail(Code::invalid_parameter_value,
                fmt::format("{}: is a directory; give the image's file, or the address of one", options.source));
  if (!std::filesystem::is_regular_file(file, error))
    return fail(Code::invalid_parameter_value, fmt::format("{}: no such file", options.source));
  const AdminClient client(context.paths);
  const auto image = TRY(client.post("/admin/v1/images", {{"account", options.account},
                                                          {"name", options.name},
                                                          {"description", options.description},
                                                          {"public", options.is_public},
                                                          {"min_memory_mib", options.min_memory_mib}}));
  const auto id = TRY(ImageId::parse(image.value("image_id", "")));
  const auto host = hostapi::make_unix_client(context.paths.host_socket());
  TRY_VOID(host->import_image(id, std::filesystem::absolute(file).string()));
  return wait_until_imported(client, id.str(), options.wait_s);
}

int run_import(const Context& context, const Options& options) {
  const auto image = import(context, options);
  if (!image) return failed(image.error());
  if (image->value("state", "") != "available")
    return failed({Code::invalid_parameter_value,
                   fmt::format("{} could not be imported: {}", options.source, image->value("problem", "unknown reason")),
                   {}});
  if (options.json) print_json(*image);
  else fmt::print("{}\n", image->value("image_id", ""));
  return 0;
}

int run_list(const Context& context, bool json) {
  const auto images = AdminClient(context.paths).get("/admin/v1/images");
  if (!images) return failed(images.error());
  if (json) {
    print_json(*images);
    return 0;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& image : *images)
    rows.push_back({image.value("image_id", ""), image.value("name", ""), image.value("state", ""),
                    image.value("account", ""), image.value("problem", "")});
  print_table({"IMAGE", "NAME", "STATE", "ACCOUNT", "PROBLEM"}, rows);
  return 0;
}

int run_delete(const Context& context, const Options& options) {
  const auto deleted = AdminClient(context.paths).post("/admin/v1/images/delete", {{"image_id", options.image}});
  if (!deleted) return failed(deleted.error());
  if (options.json) print_json(*deleted);
  else fmt::print("{} deleted\n", options.image);
  return 0;
}

}  // namespace

void add_images(CLI::App& app, const Context& context, int& code) {
  const auto o = std::make_shared<Options>();
  auto* image = app.add_subcommand("image", "Machine images")->require_subcommand(1);
  auto* add = image->add_subcommand("import", "Import a disk image (qcow2, raw, streamOptimized VMDK) as an AMI");
  add->add_option("source", o->source, "File, or http(s) URL")->required();
  add->add_option("--name", o->name, "Name of the AMI")->required();
  add->add_option("--description", o->description, "Description");
  add->add_option("--account", o->account, "Account that owns it, by name or id (default: default)");
  add->add_option("--min-memory", o->min_memory_mib, "MiB a guest needs at least; smaller types are refused (default: 96)");
  add->add_flag("!--private,--public", o->is_public, "Whether other accounts may launch it (default: --public)");
  add->add_option("--wait", o->wait_s, "Seconds to wait for the import (default: 600)");
  add->add_flag("--json", o->json, "Print JSON");
  add->callback([&context, &code, o] { code = run_import(context, *o); });
  auto* away = image->add_subcommand("delete", "Delete an image; instances launched from it go on");
  away->add_option("image", o->image, "The AMI's id")->required();
  away->add_flag("--json", o->json, "Print JSON");
  away->callback([&context, &code, o] { code = run_delete(context, *o); });
  auto* all = image->add_subcommand("list", "All images");
  all->add_flag("--json", o->json, "Print JSON");
  all->callback([&context, &code, o] { code = run_list(context, o->json); });
}

}  // namespace virga::cli
