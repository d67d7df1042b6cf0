"""Decorators, progress bars, tables."""
import io
import sys
import unittest
from unittest import mock

import cluster
import funcx
from funcx import display, progress
from funcx.registry import Tabled


class Decorated(unittest.TestCase):
    def setUp(self):
        self.client = cluster.shared().client()
        self.addCleanup(self.client.close)

    def test_it_runs_here_when_called_and_there_when_submitted(self):
        @funcx.function(endpoint="test", client=self.client, walltime=60)
        def where(name):
            """Says where."""
            import os
            return name, os.getpid()
        import os
        self.assertEqual((where.__name__, where.__doc__), ("where", "Says where."))
        self.assertEqual(where("x"), ("x", os.getpid()))
        self.assertNotEqual(where.submit("x").result()[1], os.getpid())
        self.assertEqual(where.run("y")[0], "y")
        self.assertEqual([name for name, _ in where.map(["a", "b"])], ["a", "b"])
        with self.assertRaises(funcx.TaskTimeout):
            funcx.function(sleepy, endpoint="test", client=self.client).on("test", walltime=0.2).run()

    def test_a_function_may_call_a_decorated_one(self):
        @funcx.function(endpoint="test", client=self.client)
        def half(x):
            return x / 2
        self.assertEqual(self.client.run(lambda x: half(x) + 1, "test", 4), 3)

    def test_what_is_no_container_and_unknown_settings_are_refused_at_once(self):
        for wrong in (3, ""):
            with self.assertRaisesRegex(ValueError, "container is"):
                funcx.function(endpoint="test", container=wrong)
        with self.assertRaisesRegex(TypeError, "'wall' is no setting"):
            funcx.function(endpoint="test", wall=3)


def sleepy():
    import time
    time.sleep(60)


class Progress(unittest.TestCase):
    def counted(self, total):
        output = io.StringIO()
        with mock.patch.object(progress, "bar", lambda total, name: progress.PlainBar(total, name, output)):
            values = list(progress.track((number for number in range(7)), total, "map"))
        return values, output.getvalue()

    def test_a_plain_bar_says_how_far_it_came(self):
        values, text = self.counted(7)
        self.assertEqual(values, list(range(7)))
        self.assertRegex(text, r"^map \[#{30}\] 7 of 7, \d+/s\n$")
        self.assertRegex(self.counted(None)[1], r"^map 7, \d+/s\n$")

    def test_tqdm_is_used_when_it_is_there(self):
        made = mock.MagicMock()
        with mock.patch.dict(sys.modules, {"tqdm": mock.MagicMock(), "tqdm.auto": mock.MagicMock(tqdm=made)}):
            self.assertEqual(list(progress.track(iter_closed([1, 2]), 2, "f")), [1, 2])
        made.assert_called_once_with(total=2, desc="f")
        self.assertEqual(made.return_value.update.call_count, 2)
        made.return_value.close.assert_called_once_with()

    def test_a_map_shows_it(self):
        output = io.StringIO()
        with cluster.shared().client() as client, funcx.Executor("test", client=client) as executor, \
                mock.patch.object(progress, "bar", lambda total, name: progress.PlainBar(total, name, output)):
            self.assertEqual(list(executor.map(abs, [-1, -2], progress=True)), [1, 2])
        self.assertRegex(output.getvalue(), r"^abs \[#+\] 2 of 2")


def iter_closed(values):
    yield from values


class Tables(unittest.TestCase):
    def test_what_comes_from_elsewhere_is_escaped(self):
        endpoint = funcx.Endpoint("id", "lab", note="<script>alert(1)</script>", online=True)
        self.assertNotIn("<script>", endpoint._repr_html_())
        self.assertIn("&lt;script&gt;", Tabled([endpoint])._repr_html_())
        self.assertIn("<td>a=&lt;b&gt;</td>", funcx.Group("g", labels={"a": "<b>"})._repr_html_())

    def test_tasks_groups_endpoints_and_executors_have_tables(self):
        with cluster.shared().client() as client, funcx.Executor("test", client=client) as executor:
            future = executor.submit(abs, -1)
            future.result()
            self.assertIn("<td>done</td>", future._repr_html_())
            self.assertIn(future.task_id, future._repr_html_())
            self.assertIn("worker started", client.status(future)._repr_html_())
            self.assertIn("<td>%s</td><td>1</td>" % executor.group, executor._repr_html_())
            self.assertIn("<td>online</td>", client.endpoints.list()._repr_html_())
            self.assertIn("<td>abs</td>", client.functions.list()._repr_html_())
            client.register_container(funcx.Container("fits", {"docker": "lab/fits:1"}, {"A": "<b>"}))
            self.assertIn("<td>fits</td><td>docker=lab/fits:1</td><td>A=&lt;b&gt;</td>", client.containers.list()._repr_html_())
            failed = executor.submit(int, "x")
            failed.exception()
            self.assertIn("ValueError: invalid literal", failed._repr_html_())
            self.assertTrue(display.groups_html(client.groups.recent()).startswith("<table>"))


if __name__ == "__main__":
    unittest.main()
