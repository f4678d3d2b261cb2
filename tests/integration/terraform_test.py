#!/usr/bin/env python3
"""A stack of scripts/terraform with Terraform as it is, on real guests: web server with an elastic address, database with a
volume."""
import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import guests
import harness
import terraform
from account_dump import account_dump


def banner(address, port=22):
    """What an SSH server says first; None when nobody answers."""
    try:
        with socket.create_connection((address, port), timeout=5) as server:
            server.settimeout(5)
            return server.recv(64)
    except OSError:
        return None


class RealStack(unittest.TestCase):
    def setUp(self):
        harness.require_boto3()
        harness.require_real_host()
        terraform.require_terraform()

    def test_two_tiers_apply_at_once_serve_and_leave_the_host_clean(self):
        with harness.Installation(simulate=False) as virga:
            account = virga.account()
            mine = guests.Guests(virga, account, virga.import_image())
            key = mine.ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"][0]["PublicKey"]
            before = account_dump(mine.ec2)
            stack = terraform.Stack(virga, account, os.path.join("scripts", "terraform", "two-tiers"), public_key=key,
                                    instance_type=mine.instance_type, web_servers=1, data_gib=1)
            stack.apply()
            self.assertEqual(stack.plan(), terraform.NOTHING_TO_DO)

            made = {address: values["id"] for address, _, values in stack.resources()}
            web, database = made["aws_instance.web[0]"], made["aws_instance.database"]
            mine.wait_ready(web, database)
            self.assertEqual(mine.ssh(web, "echo through the VPC").stdout.strip(), "through the VPC")
            address = stack.output()["web_addresses"][0]
            harness.wait_for("the web server at its elastic address", lambda: (banner(address) or b"").startswith(b"SSH-"), 60)
            self.assertIsNone(banner(stack.output()["database_ip"]), "the database's address is nobody's outside of its VPC")

            stack.destroy()
            self.assertIsNone(banner(address))
            self.assertEqual(account_dump(mine.ec2), before)
            virga.assert_clean(self, 60)


if __name__ == "__main__":
    harness.main()
