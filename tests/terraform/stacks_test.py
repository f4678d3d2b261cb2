#!/usr/bin/env python3
"""The stacks of scripts/terraform with Terraform as it is, on the simulated host: each applies at the first try, leaves
nothing to plan, can be imported, and is destroyed without a trace."""
import concurrent.futures
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
import terraform
from account_dump import account_dump
from samples import PUBLIC_KEY
from strict_proxy import StrictProxy

STACKS = os.path.join("scripts", "terraform")
KEY = PUBLIC_KEY.decode()


def setUpModule():
    harness.require_boto3()
    terraform.require_terraform()
    global virga, account, ec2
    virga = harness.Installation(simulate=True)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    account = virga.account()
    virga.import_image()
    ec2 = account.client()


def life(name, provider, parallelism, variables):
    """A stack from its first apply to its end."""
    stack = terraform.Stack(virga, account, os.path.join(STACKS, name), provider, **variables)
    added, changed, destroyed = stack.apply(parallelism)
    assert added == len(stack.resources()) and (changed, destroyed) == (0, 0), (added, changed, destroyed)
    assert stack.plan() == terraform.NOTHING_TO_DO

    beyond = stack.import_all()
    # A key pair's public key cannot be read back: to own it, one is made again.
    replaced = {a for a, action in beyond.items() if action != "update"}
    assert all(a.startswith("aws_key_pair.") for a in replaced), beyond
    assert stack.plan() == terraform.NOTHING_TO_DO

    stack.destroy(parallelism)
    assert stack.resources() == []


class Stacks(unittest.TestCase):
    def test_every_stack_applies_at_once_is_imported_and_leaves_nothing(self):
        before = account_dump(ec2)
        with StrictProxy(virga) as proxy, terraform.Provider(account) as shared, \
                concurrent.futures.ThreadPoolExecutor() as pool:
            # The one with default_tags has a provider of its own, started for each command as a user's is.
            lives = {"two-tiers": pool.submit(life, "two-tiers", shared, 50, {"public_key": KEY}),
                     "two-subnets": pool.submit(life, "two-subnets", None, 10, {"public_key": KEY}),
                     "one-instance": pool.submit(life, "one-instance", shared, 10, {"public_key": KEY}),
                     "module": pool.submit(life, "module", shared, 50, {})}
            for name, lived in lives.items():
                with self.subTest(stack=name):
                    lived.result()
        self.assertEqual(account_dump(ec2), before)
        # What is destroyed is asked for until it is gone, and the ami data source asks once for what no image has.
        self.assertEqual({(a, c) for a, c in proxy.refused if not c.endswith(".NotFound")},
                         {("GetInstanceUefiData", "InvalidAction")})


if __name__ == "__main__":
    harness.main()
