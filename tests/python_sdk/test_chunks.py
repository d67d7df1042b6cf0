"""Messages of results, read and refused."""
import unittest

import cluster  # noqa: F401
from funcx import errors
from funcx.chunks import Columns
from funcx.v1 import tasks_pb2
from funcx.values import JSON, PICKLE

BATCH, OTHER = b"a" * 12, b"b" * 12


def chunk(**columns):
    return tasks_pb2.ResultChunk(**{**dict(cursor=1, batch_ids=BATCH, index=[4, 5], content_types=[JSON], lengths=[1, 2], bodies=b"122"), **columns})


class Chunks(unittest.TestCase):
    def test_a_message_of_values_has_the_rows_of_one_batch(self):
        columns = Columns(chunk())
        self.assertEqual((columns.index, columns.counts, columns.rows, columns.batch_ids), ([4, 5], [2], [b"1", b"22"], BATCH))
        self.assertTrue(columns.is_plain)

    def test_rows_differ_in_their_outcome_and_carry_their_output(self):
        columns = Columns(chunk(batch_ids=BATCH + OTHER, counts=[1, 1], outcomes=[1, 2], codes=[0, -9], content_types=[PICKLE, JSON], bodies=b"122oute", stdout_lengths=[0, 3],
                                stderr_lengths=[0, 1]))
        self.assertFalse(columns.is_plain)
        self.assertEqual([(columns.outcome(row), columns.code(row), columns.content_type(row), columns.output(row)) for row in (0, 1)],
                         [(1, 0, PICKLE, (b"", b"")), (2, -9, JSON, (b"out", b"e"))])

    def test_values_that_are_elsewhere_are_not_plain(self):
        self.assertFalse(Columns(chunk(lengths=[3, 0], large=[1])).is_plain)
        self.assertFalse(Columns(chunk(content_types=[JSON, PICKLE])).is_plain)

    def test_columns_that_do_not_fit_are_refused(self):
        for wrong, seen in ((dict(batch_ids=BATCH + OTHER), "24 bytes of batch ids"), (dict(counts=[1]), "counts of 1 for 2"), (dict(lengths=[3]), "lengths has 1"),
                            (dict(outcomes=[1]), "outcomes has 1"), (dict(codes=[1, 2, 3]), "codes has 3"), (dict(content_types=[]), "content_types has 0"),
                            (dict(stdout_lengths=[0]), "stdout_lengths has 1"), (dict(stderr_lengths=[0]), "stderr_lengths has 1"), (dict(bodies=b"12"), "3 bytes, but it carries 2"),
                            (dict(stdout_lengths=[1, 0], stderr_lengths=[0, 0]), "4 bytes, but it carries 3")):
            with self.subTest(seen=seen), self.assertRaisesRegex(errors.FuncXError, "cannot be right: .*%s" % seen):
                Columns(chunk(**wrong))


if __name__ == "__main__":
    unittest.main()
