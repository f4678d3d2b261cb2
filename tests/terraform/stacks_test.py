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


def life(name, provider, parallelism, **variables):
    """A stack from its first apply to the last import; returns it with what the import had to change."""
    stack = terraform.Stack(virga, account, os.path.join(STACKS, name), provider, **variables)
    added, changed, destroyed = stack.apply(parallelism)
    assert added == len(stack.resources()) and (changed, destroyed) == (0, 0), (name, added, changed, destroyed)
    assert stack.plan() == terraform.NOTHING_TO_DO, name
    return stack, stack.import_all()


class Stacks(unittest.TestCase):
    def test_every_stack_applies_at_once_is_imported_and_leaves_nothing(self):
        before = account_dump(ec2)
        stacks = {"one-instance": (None, 10, {"public_key": KEY}), "two-subnets": ("shared", 10, {"public_key": KEY}),
                  "two-tiers": ("shared", 50, {"public_key": KEY}), "module": ("shared", 50, {})}
        with StrictProxy(virga) as proxy, terraform.Provider(account) as provider, \
                concurrent.futures.ThreadPoolExecutor(len(stacks)) as pool:
            running = {name: pool.submit(life, name, provider if shared else None, parallelism, **variables)
                       for name, (shared, parallelism, variables) in stacks.items()}
            made = {}
            for name, future in running.items():
                with self.subTest(stack=name):
                    made[name], planned = future.result()
                    # A key pair's public key cannot be read back: to own it, one is made again.
                    replaced = {a for a, actions in planned.items() if "delete" in actions or "create" in actions}
                    self.assertEqual({a for a in replaced if ".aws_key_pair." not in "." + a}, set(), planned)
            for name, future in {n: pool.submit(s.plan) for n, s in made.items()}.items():
                with self.subTest(stack=name):
                    self.assertEqual(future.result(), terraform.NOTHING_TO_DO)
            for name, future in {n: pool.submit(s.destroy) for n, s in made.items()}.items():
                with self.subTest(stack=name):
                    future.result()
        self.assertEqual(len(made), len(stacks))
        self.assertEqual(account_dump(ec2), before)
        # What is destroyed is asked for until it is gone, and the ami data source asks once for what no image has.
        self.assertEqual({(a, c) for a, c in proxy.refused if not c.endswith(".NotFound")},
                         {("GetInstanceUefiData", "InvalidAction")})


if __name__ == "__main__":
    harness.main()
