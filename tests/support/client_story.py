"""What the stories of tests/clients share: an installation on a simulated host of its own for each, every answer held
against the model whoever asks, and an account that is at the end as it was before."""
import os
import unittest

import harness
from account_dump import account_dump
from strict_proxy import StrictProxy

CLIENTS = os.path.join(harness.ROOT, "tests", "clients")


class ClientStory(unittest.TestCase):
    def setUp(self):
        harness.require_boto3()
        self.virga = harness.Installation(simulate=True)
        self.virga.__enter__()
        self.addCleanup(self.leave)
        self.account = self.virga.account()
        self.image_id = self.virga.import_image()
        self.ec2 = self.account.client()
        self.before = account_dump(self.ec2)
        self.proxy = StrictProxy(self.virga)
        self.proxy.__enter__()

    def leave(self):
        passed = self._outcome.success
        try:
            self.proxy.__exit__(None if passed else AssertionError)
        except AssertionError:
            passed = False
            raise
        finally:
            self.virga.failed = not passed
            self.virga.__exit__(None, None, None)

    def only(self, items):
        items = list(items)
        self.assertEqual(len(items), 1, items)
        return items[0]

    def assert_as_before(self):
        self.assertEqual(account_dump(self.ec2), self.before)
