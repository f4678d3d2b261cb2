"""Terraform as it is, against an installation under test: the program and the hashicorp/aws provider that this machine has,
never one fetched from a registry.

    with Provider(account) as provider:
        stack = Stack(virga, account, "scripts/terraform/one-instance", provider, public_key=KEY)
        stack.apply(parallelism=50)
        assert stack.plan() == NOTHING_TO_DO
        stack.destroy()

A provider that was started once serves every command of a test, for its start costs seconds of a processor. It belongs to
one account, whose environment it has, and goes by the settings it was given last: stacks side by side share one only if
their provider blocks are alike. A stack without one starts its own for each command, as users' do.
"""
import glob
import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
import unittest

import harness

NAME = "registry.terraform.io/hashicorp/aws"
NOTHING_TO_DO, CHANGES_WANTED = 0, 2  # what `plan -detailed-exitcode` says

# Where Terraform itself looks, and where packages of it put providers. VIRGA_TERRAFORM_MIRROR names another place.
MIRRORS = ("~/.terraform.d/plugins", "~/.local/share/terraform/plugins", "/usr/local/share/terraform/plugins",
           "/usr/share/terraform/plugins", "~/.terraform.d/plugin-cache", "/opt/terraform/plugins", "/opt/*")


def mirror():
    """The folder that has the provider, laid out as a filesystem mirror; None when no place has it."""
    for place in (os.environ.get("VIRGA_TERRAFORM_MIRROR"), os.environ.get("TF_PLUGIN_CACHE_DIR")) + MIRRORS:
        for folder in sorted(glob.glob(os.path.expanduser(place))) if place else ():
            if glob.glob(os.path.join(folder, NAME, "5.*", "*", "terraform-provider-aws*")):
                return folder
    return None


def provider_program():
    return sorted(glob.glob(os.path.join(mirror(), NAME, "5.*", "*", "terraform-provider-aws*")))[-1]


def require_terraform():
    if not shutil.which("terraform"):
        raise unittest.SkipTest("skipped: terraform is not installed")
    if not mirror():
        raise unittest.SkipTest("skipped: no hashicorp/aws provider 5.x in %s (VIRGA_TERRAFORM_MIRROR)" % ", ".join(MIRRORS))


def environment(account):
    """What `virga env` exports, and nothing of this machine's own Terraform settings."""
    kept = {k: v for k, v in account.environment().items() if not k.startswith("TF_")}
    del kept["AWS_PAGER"]
    return {**kept, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}


class Provider:
    """The provider's process, started once for many commands; Terraform calls this reattaching."""

    def __init__(self, account):
        self.account = account
        self.process = None
        self.reattach = ""

    def __enter__(self):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([provider_program(), "-debug"], env=environment(self.account), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.log)
        self.reattach = self.wait_for_line(120)
        return self

    def wait_for_line(self, seconds):
        said, deadline = b"", time.monotonic() + seconds
        while time.monotonic() < deadline:
            if select.select([self.process.stdout], [], [], 1)[0]:
                piece = os.read(self.process.stdout.fileno(), 65536)
                if not piece:
                    break
                said += piece
                found = re.search(rb"TF_REATTACH_PROVIDERS='(\{.*\})'", said)
                if found:
                    return found.group(1).decode()
        self.__exit__()
        raise AssertionError("the provider did not start: %s" % said.decode())

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


class Stack:
    """A configuration in a folder of its own, with its state. What it ran is kept in terraform.log beside it."""

    def __init__(self, virga, account, source, provider=None, **variables):
        self.folder = tempfile.mkdtemp(prefix=os.path.basename(source) + "-", dir=virga.home)
        self.env = environment(account)
        self.variables = variables
        shutil.copytree(os.path.join(harness.ROOT, source), self.folder, dirs_exist_ok=True)
        if provider:
            self.env["TF_REATTACH_PROVIDERS"] = provider.reattach
        else:
            settings = os.path.join(self.folder, "settings.tfrc")
            with open(settings, "w") as file:
                file.write('provider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' % mirror())
            self.env["TF_CLI_CONFIG_FILE"] = settings
        self.run("init")

    def run(self, *arguments, expect=(0,), seconds=240):
        """One command; its output, colourless. Fails with the output when it exits otherwise than expected."""
        return self.finish(arguments, expect, seconds)[1]

    def finish(self, arguments, expect, seconds=240):
        done = subprocess.run(["terraform", arguments[0], "-no-color", *arguments[1:]], cwd=self.folder, env=self.env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=seconds)
        with open(os.path.join(self.folder, "terraform.log"), "a") as log:
            log.write("$ terraform %s\n%s[exit %d]\n" % (" ".join(arguments), done.stdout, done.returncode))
        if done.returncode not in expect:
            raise AssertionError("terraform %s in %s: exit %d\n%s" % (
                " ".join(arguments), os.path.basename(self.folder), done.returncode, done.stdout))
        return done.returncode, done.stdout

    def options(self):
        return ["-var=%s=%s" % (k, v if isinstance(v, str) else json.dumps(v)) for k, v in self.variables.items()]

    def apply(self, parallelism=10, **variables):
        """Applies once; there is no second try. Returns (added, changed, destroyed); imported ones are not counted."""
        self.variables.update(variables)
        said = self.run("apply", "-auto-approve", "-parallelism=%d" % parallelism, *self.options())
        counted = re.search(r"(\d+) added, (\d+) changed, (\d+) destroyed", said)
        return tuple(int(n) for n in counted.groups())

    def plan(self, *arguments):
        """NOTHING_TO_DO or CHANGES_WANTED."""
        return self.finish(("plan", "-detailed-exitcode", *arguments, *self.options()), (0, 2))[0]

    def planned(self):
        """What a plan would do, kept in the file "wanted": address -> create, update, replace or delete."""
        found = {}
        for line in self.run("plan", "-json", "-out=wanted", *self.options()).splitlines():
            said = json.loads(line) if line.startswith("{") else {}
            if said.get("type") == "planned_change" and said["change"]["action"] not in ("noop", "read", "import"):
                found[said["change"]["resource"]["addr"]] = said["change"]["action"]
        return found

    def destroy(self, parallelism=10):
        return self.run("destroy", "-auto-approve", "-parallelism=%d" % parallelism, *self.options())

    def state(self):
        with open(os.path.join(self.folder, "terraform.tfstate")) as file:
            return json.load(file)

    def output(self):
        return {name: output["value"] for name, output in self.state()["outputs"].items()}

    def resources(self):
        """(address, type, attributes) of every managed resource in the state."""
        found = []
        for resource in self.state()["resources"]:
            for instance in resource["instances"] if resource["mode"] == "managed" else ():
                address = "%s.%s" % (resource["type"], resource["name"])
                if "module" in resource:
                    address = resource["module"] + "." + address
                if "index_key" in instance:
                    address += "[%s]" % json.dumps(instance["index_key"])
                found.append((address, resource["type"], instance["attributes"]))
        return found

    def import_all(self):
        """Loses what the state knows and takes every resource in again by import, as if they had been made by other means.
        Returns what the apply did to them beyond that: address -> what."""
        found = [(address, import_id(kind, values)) for address, kind, values in self.resources() if kind not in NOT_IMPORTED]
        lines = ["import {\n  to = %s\n  id = %s\n}\n" % (address, json.dumps(name)) for address, name in found]
        self.forget_all()
        with open(os.path.join(self.folder, "imports.tf"), "w") as file:
            file.write("\n".join(lines))
        planned = self.planned()
        said = self.run("apply", "-auto-approve", "wanted")
        if "%d imported" % len(lines) not in said:
            raise AssertionError("not everything was imported: %s" % said)
        return planned


    def forget_all(self):
        state, file = self.state(), os.path.join(self.folder, "terraform.tfstate")
        os.rename(file, os.path.join(self.folder, "lost.tfstate"))
        state["resources"] = [r for r in state["resources"] if r["type"] in NOT_IMPORTED]
        if state["resources"]:
            with open(file, "w") as kept:
                json.dump(state, kept)


# What the provider cannot import.
NOT_IMPORTED = ("aws_main_route_table_association", "aws_ami_from_instance")


def import_id(kind, values):
    """What `terraform import` takes for a resource of this type."""
    if kind == "aws_route":
        return "%s_%s" % (values["route_table_id"], values["destination_cidr_block"])
    if kind == "aws_route_table_association":
        return "%s/%s" % (values["subnet_id"], values["route_table_id"])
    if kind == "aws_volume_attachment":
        return "%s:%s:%s" % (values["device_name"], values["volume_id"], values["instance_id"])
    if kind == "aws_security_group_rule":
        source = values["source_security_group_id"] or "_".join(values["cidr_blocks"])
        return "_".join([values["security_group_id"], values["type"], values["protocol"], str(values["from_port"]),
                         str(values["to_port"]), source])
    if kind == "aws_default_route_table":
        return values["vpc_id"]
    if kind == "aws_network_interface_sg_attachment":
        return "%s_%s" % (values["network_interface_id"], values["security_group_id"])
    if kind == "aws_ami_launch_permission":
        return "%s/%s" % (values["account_id"], values["image_id"])
    return values["id"]
