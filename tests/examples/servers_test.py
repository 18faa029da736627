"""The small servers of examples/, each with clients that are not ours.

Run by servers_test.sh with the folder of their binaries in EXAMPLES.
"""

import hashlib
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

EXAMPLES = os.environ["EXAMPLES"]
PATIENCE = 8


class Server:
    """A server as a child process; killed at the end if it still runs."""

    def __init__(self, name, *arguments):
        binary = os.path.join(EXAMPLES, name, name)
        self.process = subprocess.Popen(
            [binary, "--port=0", "--cores=2", *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        greeting = self.process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", greeting)
        if found is None:
            self.close()
            raise AssertionError("no greeting: " + greeting)
        self.port = int(found.group(1))

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        client.settimeout(PATIENCE)
        return client

    def stop(self):
        """SIGTERM; what it prints, having ended with 0 in time."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=PATIENCE)
        if self.process.returncode != 0:
            raise AssertionError("exit status %d" % self.process.returncode)
        return out

    def resident(self):
        with open("/proc/%d/statm" % self.process.pid) as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def close(self):
        self.process.kill()
        self.process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def read_all(client):
    pieces = []
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def read_line(client):
    line = b""
    while not line.endswith(b"\n"):
        byte = client.recv(1)
        if not byte:
            break
        line += byte
    return line.decode()


class ArgumentsTest(unittest.TestCase):
    def test_what_cannot_be_is_said(self):
        for name, arguments in (
            ("hello_world", ["--port=70000"]),
            ("echo_sharded", ["--address=nonsense"]),
            ("file_pump", ["--file=/no/such/file"]),
            ("tls_proxy", ["--port=0", "--cert=/no/such/file"]),
        ):
            run = subprocess.run(
                [os.path.join(EXAMPLES, name, name), *arguments],
                stderr=subprocess.PIPE,
                timeout=PATIENCE,
                text=True,
            )
            self.assertEqual(run.returncode, 1, name)
            self.assertIn(name + ": ", run.stderr)


class HelloWorldTest(unittest.TestCase):
    def test_greets_and_drains(self):
        with Server("hello_world") as server:
            for _ in range(20):
                with server.connect() as client:
                    self.assertEqual(read_all(client), b"Hello, World!\n")
            # One that stays does not hold the drain up.
            with server.connect() as client:
                self.assertEqual(read_line(client), "Hello, World!\n")
                server.stop()

    @unittest.skipIf(shutil.which("curl") is None, "SKIP: needs curl")
    def test_curl(self):
        with Server("hello_world") as server:
            run = subprocess.run(
                ["curl", "-s", "-m5", "telnet://127.0.0.1:%d" % server.port],
                stdout=subprocess.PIPE,
                stdin=subprocess.PIPE,
            )
            self.assertEqual(run.stdout, b"Hello, World!\n")


def echo(test, connect, size):
    """Sends and receives at the same time, until the server has ended."""
    sent = os.urandom(size)
    with connect() as client:
        writer = threading.Thread(
            target=lambda: (client.sendall(sent), client.shutdown(socket.SHUT_WR))
        )
        writer.start()
        got = read_all(client)
        writer.join()
    test.assertEqual(len(got), len(sent))
    test.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(sent).digest())


class EchoShardedTest(unittest.TestCase):
    def test_echoes_on_every_core(self):
        with Server("echo_sharded") as server:
            for size in (0, 1, 64, 5000, 3000000):
                echo(self, server.connect, size)
            threads = [
                threading.Thread(target=echo, args=(self, server.connect, 200000))
                for _ in range(20)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            out = server.stop()
            counts = [int(n) for n in re.findall(r"core \d: (\d+) conn", out)]
            self.assertEqual(len(counts), 2)
            self.assertEqual(sum(counts), 25)

    def test_a_client_that_does_not_read_is_not_read_from(self):
        with Server("echo_sharded") as server, server.connect() as client:
            client.settimeout(0.5)  # until nothing more goes in
            sent = 0
            try:
                while sent < 200 << 20:
                    sent += client.send(b"x" * 65536)
            except socket.timeout:
                pass
            self.assertLess(sent, 60 << 20)
            self.assertLess(server.resident(), 60 << 20)

    def test_drain_answers_what_has_come(self):
        with Server("echo_sharded") as server, server.connect() as client:
            client.sendall(b"first")
            self.assertEqual(client.recv(5), b"first")
            client.sendall(b"last words")
            time.sleep(0.2)  # they are to be there when it is told to stop
            server.stop()
            self.assertEqual(read_all(client), b"last words")


class ChatTest(unittest.TestCase):
    def test_everybody_hears_everybody_else(self):
        with Server("chat") as server:
            names = ["ann", "bob", "cid", "dan", "eve", "fay"]
            clients = []
            for name in names:
                client = server.connect()
                self.addCleanup(client.close)
                self.assertEqual(read_line(client), "Your name?\n")
                client.sendall(name.encode() + b"\r\n")
                self.assertEqual(read_line(client), "Welcome, %s\n" % name)
                for other in clients:
                    self.assertEqual(read_line(other), "* %s is here\n" % name)
                clients.append(client)
            for i in range(50):
                clients[i % 6].sendall(b"line %d\n" % i)
                for j, client in enumerate(clients):
                    if j != i % 6:
                        self.assertEqual(
                            read_line(client), "%s: line %d\n" % (names[i % 6], i)
                        )
            clients[0].close()
            for client in clients[1:]:
                self.assertEqual(read_line(client), "* ann has gone\n")
            # A line that is too long ends who sends it.
            clients[1].sendall(b"x" * 5000)
            for client in clients[2:]:
                self.assertEqual(read_line(client), "* bob has gone\n")
            server.stop()

    def test_who_does_not_read_is_thrown_out(self):
        with Server("chat") as server:
            deaf, loud = server.connect(), server.connect()
            for client in (deaf, loud):
                client.sendall(b"x\n")
            loud.settimeout(PATIENCE)
            for _ in range(20000):
                loud.sendall(b"y" * 900 + b"\n")
            end = time.time() + PATIENCE
            heard = b""
            while b"has gone" not in heard and time.time() < end:
                heard = heard[-100:] + loud.recv(4096)
            self.assertIn(b"has gone", heard)
            deaf.close()
            loud.close()


class FilePumpTest(unittest.TestCase):
    def test_slow_readers_cost_no_memory(self):
        size = 40 << 20
        with tempfile.NamedTemporaryFile() as file:
            block = os.urandom(1 << 20)
            for i in range(size >> 20):
                file.write(bytes([i]) + block[1:])
            file.flush()
            with open(file.name, "rb") as again:
                expected = hashlib.sha256(again.read()).hexdigest()
            with Server("file_pump", "--file=" + file.name) as server:
                clients = [server.connect() for _ in range(30)]
                for client in clients:
                    client.recv(1000)
                # 30 copies would be 1.2 GB.
                self.assertLess(server.resident(), size)
                digest = hashlib.sha256()
                with server.connect() as quick:
                    got = 0
                    while piece := quick.recv(1 << 20):
                        digest.update(piece)
                        got += len(piece)
                self.assertEqual(got, size)
                self.assertEqual(digest.hexdigest(), expected)
                for client in clients:
                    client.close()
                server.stop()

    def test_an_empty_file(self):
        with tempfile.NamedTemporaryFile() as file:
            with Server("file_pump", "--file=" + file.name) as server:
                with server.connect() as client:
                    self.assertEqual(read_all(client), b"")
                server.stop()


class TlsProxyTest(unittest.TestCase):
    def relay(self, target, *arguments):
        return Server("tls_proxy", "--target_port=%d" % target.port, *arguments)

    def test_relays_both_ways_and_ends(self):
        with Server("echo_sharded") as target, self.relay(target) as proxy:
            for size in (0, 64, 2000000):
                echo(self, proxy.connect, size)
            proxy.stop()

    def test_no_target(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            with Server("tls_proxy", "--target_port=%d" % port) as proxy:
                with proxy.connect() as client:
                    self.assertEqual(read_all(client), b"")
                proxy.stop()

    def test_rate(self):
        with Server("echo_sharded") as target:
            with self.relay(target, "--rate=200000") as proxy:
                begin = time.time()
                echo(self, proxy.connect, 400000)
                # A second's worth at once, the rest at the rate.
                self.assertGreater(time.time() - begin, 0.9)

    @unittest.skipIf(shutil.which("openssl") is None, "SKIP: needs openssl")
    def test_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            cert, key = folder + "/cert.pem", folder + "/key.pem"
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
                + ["ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
                + ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
                + ["-keyout", key, "-out", cert],
                check=True,
                stderr=subprocess.DEVNULL,
            )
            with Server("echo_sharded") as target, self.relay(
                target, "--cert=" + cert, "--key=" + key
            ) as inner:
                context = ssl.create_default_context(cafile=cert)

                def secure():
                    return context.wrap_socket(
                        inner.connect(), server_hostname="127.0.0.1"
                    )

                for size in (1, 100000):
                    sent = os.urandom(size)
                    with secure() as client:
                        client.sendall(sent)
                        got = b""
                        while len(got) < size:
                            got += client.recv(65536)
                        self.assertEqual(got, sent)
                client = subprocess.Popen(
                    ["openssl", "s_client", "-quiet", "-verify_return_error"]
                    + ["-CAfile", cert]
                    + ["-connect", "127.0.0.1:%d" % inner.port],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
                client.stdin.write(b"by s_client\n")
                client.stdin.flush()
                self.assertEqual(client.stdout.readline(), b"by s_client\n")
                client.kill()
                client.communicate()
                # A proxy that speaks TLS to the first one.
                with self.relay(
                    inner, "--target_tls=true", "--target_ca=" + cert
                ) as outer:
                    echo(self, outer.connect, 300000)
                # And one that does not believe it.
                with self.relay(inner, "--target_tls=true") as doubting:
                    with doubting.connect() as client:
                        self.assertEqual(read_all(client), b"")


if __name__ == "__main__":
    unittest.main(verbosity=2)
