#include "core/command_runner.h"
