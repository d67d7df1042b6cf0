import json
import os
import pathlib
import tempfile
import unittest
from unittest import mock

import cluster  # noqa: F401
import funcx
from funcx import credentials


class Credentials(unittest.TestCase):
    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.directory = pathlib.Path(held.name)
        self.path = self.directory / "credentials.json"
        patched = mock.patch.dict(os.environ, {"FUNCX_CONFIG_DIR": held.name})
        patched.start()
        self.addCleanup(patched.stop)

    def write(self, content, mode=0o600):
        self.path.write_text(content)
        self.path.chmod(mode)

    def test_the_stored_login_is_used_and_another_one_by_its_address(self):
        self.write(json.dumps({"current": "https://one.example.org", "tokens": {"https://one.example.org": "t1", "http://127.0.0.1:7400": "t2"}}))
        self.assertEqual(credentials.find(), ("https://one.example.org", "t1"))
        self.assertEqual(credentials.find("http://127.0.0.1:7400/"), ("http://127.0.0.1:7400", "t2"))
        with funcx.Client() as client:
            self.assertEqual(client.address, "https://one.example.org")
            self.assertNotIn("t1", repr(client))
        with self.assertRaisesRegex(funcx.NotAuthorised, "not logged in to https://two.example.org. Run: funcx login https://two.example.org"):
            credentials.find("https://two.example.org")

    def test_without_a_login_it_says_what_to_run(self):
        with self.assertRaisesRegex(funcx.NotAuthorised, "You are not logged in .*Run: funcx login ADDRESS"):
            credentials.find()

    def test_a_file_that_others_may_read_is_refused(self):
        self.write("{}", 0o644)
        with self.assertRaisesRegex(funcx.NotAuthorised, "others may read or write it.*Run: chmod 600"):
            credentials.find()

    def test_a_file_that_is_no_json_is_named(self):
        for content in ("nonsense", "[1]"):
            self.write(content)
            with self.assertRaisesRegex(funcx.FuncXError, "is not a credentials file"):
                credentials.find()

    def test_a_token_file_goes_with_an_address_or_the_current_service(self):
        token = self.directory / "token"
        token.write_text("fxt_abc\n")
        self.assertEqual(credentials.find("https://h.example", token_file=str(token)), ("https://h.example", "fxt_abc"))
        self.write(json.dumps({"current": "https://one.example.org", "tokens": {}}))
        self.assertEqual(credentials.find(token_file=str(token)), ("https://one.example.org", "fxt_abc"))
        token.write_text("two words\n")
        with self.assertRaisesRegex(ValueError, "does not hold a token; expected one line of text"):
            credentials.find("https://h.example", token_file=str(token))
        with self.assertRaisesRegex(ValueError, "exclude each other"):
            credentials.find("https://h.example", token="a", token_file=str(token))

    def test_addresses_are_normal_or_refused(self):
        for given, normal in (("https://Host.example/", "https://host.example"), ("https://h:443", "https://h"), ("https://h:8443/x", "https://h:8443"),
                              ("http://localhost:80", "http://localhost"), ("http://[::1]:7400", "http://[::1]:7400")):
            self.assertEqual(credentials.normal_address(given), normal)
        with self.assertRaisesRegex(ValueError, "would carry the token over the network in clear"):
            credentials.normal_address("http://host.example")
        for wrong in ("host:80", "ftp://h", "", "https://", "http://h:notaport"):
            with self.assertRaisesRegex(ValueError, "is not the address of a service"):
                credentials.normal_address(wrong)


if __name__ == "__main__":
    unittest.main()
