import asyncio
import unittest

import cluster
import funcx


def double(x):
    return 2 * x


def fail():
    raise ValueError("no")


def snooze(seconds):
    import time
    time.sleep(seconds)
    return seconds


class Asynchronous(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = cluster.shared().client()
        cls.addClassCleanup(cls.client.close)

    async def test_a_client(self):
        async with funcx.AsyncClient(client=self.client) as client:
            self.assertEqual(await client.run(double, "test", 4), 8)
            future = await client.submit(double, "test", (5,))
            self.assertEqual(await future, 10)
            self.assertEqual(await asyncio.gather(*await client.batch(double, "test", [(1,), (2,)])), [2, 4])
            with self.assertRaisesRegex(ValueError, "no"):
                await client.run(fail, "test")
            self.assertIn("test", [endpoint.name for endpoint in await client.endpoints()])
            self.assertTrue(await client.functions() and await client.groups())

    async def test_results_are_iterated(self):
        async with funcx.AsyncExecutor("test", client=self.client) as executor:
            self.assertEqual([value async for value in executor.map(double, range(3_000))], [2 * number for number in range(3_000)])
            values = []
            with self.assertRaises(ZeroDivisionError):
                async for value in executor.map(lambda x: 1 // x, [1, 0, 1]):
                    values.append(value)
            self.assertEqual(values, [1])

    async def test_many_calls_at_once_and_in_the_order_of_their_ends(self):
        async with funcx.AsyncExecutor("test", client=self.client) as executor:
            self.assertEqual(await asyncio.gather(*[executor.run(double, number) for number in range(200)]), [2 * number for number in range(200)])
            futures = [await executor.submit(snooze, seconds) for seconds in (0.6, 0)]
            self.assertEqual([await future async for future in executor.as_completed(futures)], [0, 0.6])
            self.assertEqual(sorted(await asyncio.gather(*await executor.reload())), sorted([2 * number for number in range(200)] + [0, 0.6]))

    async def test_cancelling_the_awaiting_task_cancels_the_call(self):
        async with funcx.AsyncExecutor("test", client=self.client) as executor:
            task = asyncio.ensure_future(executor.run(snooze, 60))
            await asyncio.sleep(0.3)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            group = executor.executor

            def is_cancelled():
                return [status.outcome for status in self.client.groups.tasks(group.group)] == ["cancelled"]
            await asyncio.get_running_loop().run_in_executor(None, cluster.eventually, is_cancelled, "the call is cancelled")

    async def test_the_event_loop_is_not_held_up(self):
        async with funcx.AsyncExecutor("test", client=self.client) as executor:
            ticks = 0

            async def tick():
                nonlocal ticks
                while True:
                    await asyncio.sleep(0.01)
                    ticks += 1
            ticker = asyncio.ensure_future(tick())
            await executor.run(snooze, 0.5)
            ticker.cancel()
            self.assertGreater(ticks, 10)


if __name__ == "__main__":
    unittest.main()
