"""Containers: registered, named by functions, refused where there are none."""
import unittest
import uuid

import cluster
import funcx


class Registered(unittest.TestCase):
    def setUp(self):
        self.client = cluster.shared().client()
        self.addCleanup(self.client.close)
        self.name = "image-" + uuid.uuid4().hex

    def container(self, version=1, **more):
        return funcx.Container(self.name, {"apptainer": "/images/%s-%d.sif" % (self.name, version)}, **more)

    def test_a_container_is_registered_found_and_deleted(self):
        made = self.client.register_container(self.container(environment={"A": "b"}, description="for fits"))
        self.assertRegex(made.id, "^[0-9a-f]{64}$")
        self.assertEqual((made.name, made.environment, made.description), (self.name, {"A": "b"}, "for fits"))
        for named in (made.id, made.id[:12], self.name):
            self.assertEqual(self.client.containers.get(named), made)
        self.assertIn(made, self.client.containers.list())
        self.assertEqual(self.client.register_container(self.container(environment={"A": "b"}, description="for fits")), made)
        self.client.containers.delete(made)
        with self.assertRaises(funcx.NotFound):
            self.client.containers.get(self.name)

    def test_one_is_deleted_by_what_it_is_and_not_by_its_name_alone(self):
        older, newer = (self.client.register_container(self.container(version)) for version in (1, 2))
        with self.assertRaisesRegex(funcx.NotFound, "the newest of that name, %s, has other images" % newer.id):
            self.client.containers.delete(self.container(1))
        self.client.containers.delete(self.container(2))
        self.assertEqual(self.client.containers.get(self.name), older)
        self.client.containers.delete(self.name)
        with self.assertRaises(funcx.NotFound):
            self.client.containers.get(self.name)

    def test_a_name_means_what_it_means_when_a_function_is_registered(self):
        versions = []
        for version in (1, 2):
            made = self.client.register_container(self.container(version))
            registered = self.client.needing(self.client.function(abs), funcx.Settings(container=self.name))
            versions.append((made.id, registered.container))
        self.assertEqual([made for made, _ in versions], [named for _, named in versions])
        self.client.containers.delete(versions[1][0])
        self.client.containers.delete(versions[0][0])
        with self.assertRaises(funcx.NotFound):
            self.client.needing(self.client.function(abs), funcx.Settings(container=self.name))

    def test_what_cannot_be_one_is_refused_by_what_is_wrong(self):
        for images, why in (({}, "there is no image"), ({"apptainer": "--bind=/:/mnt"}, "images.apptainer is '--bind=/:/mnt'"), ({"chroot": "/x"}, "'chroot' is no runtime")):
            with self.assertRaisesRegex(funcx.Refused, why):
                self.client.register_container(funcx.Container(self.name, images))

    def test_functions_of_every_kind_name_theirs(self):
        made = self.client.register_container(self.container())
        for container in (made, self.name, made.id, self.container()):
            self.assertEqual(self.client.register_function(lambda: 1, container=container).container, made.id)
        self.assertEqual(self.client.register_function(lambda: 1).container, "")
        self.assertEqual(self.client.register_source("def f(): pass", "f", container=made).container, made.id)
        self.assertEqual(self.client.register_shell(funcx.ShellFunction("true"), container=made).container, made.id)
        with self.assertRaisesRegex(funcx.NotFound, "no container 'not-there'"):
            self.client.register_function(lambda: 1, container="not-there")


class Called(unittest.TestCase):
    def setUp(self):
        self.client = cluster.shared().client()
        self.addCleanup(self.client.close)
        name = "analysis-" + uuid.uuid4().hex
        self.container = funcx.Container(name, {"apptainer": "/images/%s.sif" % name})

    def rejected(self, future):
        error = future.exception(30)
        self.assertIsInstance(error, funcx.TaskRejected)
        self.assertIn("runs in container '%s'" % self.container.name, str(error))
        self.assertIn("containers.runtime is none", str(error))

    def test_a_decorated_function_is_sent_into_its_container(self):
        @funcx.function(endpoint="test", client=self.client, container=self.container)
        def inside(x):
            return x
        self.rejected(inside.submit(1))
        # It is registered with the first call, and once.
        known = self.client.containers.get(self.container.name)
        self.rejected(inside.submit(2))
        self.assertEqual(self.client.containers.get(self.container.name), known)
        self.assertEqual(self.client.functions.get("inside [container %s]" % self.container.name).container, known.id)
        # By its own name it is found as it was registered.
        self.assertEqual(self.client.functions.get("inside").container, "")
        self.assertEqual(inside.on("test", container=None).run(3), 3)

    def test_an_executor_and_single_calls_may_name_one(self):
        name = self.client.register_container(self.container).name
        with funcx.Executor("test", client=self.client, container=name) as executor:
            self.rejected(executor.submit(abs, -1))
            self.assertEqual(executor.with_settings(container=None).submit(abs, -1).result(30), 1)
        self.rejected(self.client.submit(funcx.ShellFunction("true"), "test", settings=funcx.Settings(container=name)))

    def test_a_deleted_one_is_registered_again_when_it_was_given_whole(self):
        settings = funcx.Settings(container=self.container)
        self.rejected(self.client.submit(abs, "test", (1,), settings=settings))
        self.client.containers.delete(self.container)
        self.rejected(self.client.submit(len, "test", ([],), settings=settings))
        self.client.containers.get(self.container.name)


if __name__ == "__main__":
    unittest.main()
