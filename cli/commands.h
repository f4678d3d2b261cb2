#pragma once

#include "core/config.h"

namespace CLI {
class App;
}

namespace virga::cli {

/// What every command needs to know.
struct Context {
  Paths paths = Paths::from_environment();
};

/// Each adds its nouns and verbs; the verb that was chosen leaves its exit code in `code`.
void add_status(CLI::App& app, const Context& context, int& code);    // status, env
void add_identity(CLI::App& app, const Context& context, int& code);  // account, user, key
void add_images(CLI::App& app, const Context& context, int& code);    // image
void add_guests(CLI::App& app, const Context& context, int& code);    // console, ssh, proxy

}  // namespace virga::cli
