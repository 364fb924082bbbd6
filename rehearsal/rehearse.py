"""The switch from a Flask application to markt-auth and back, with clients that go on meanwhile.

`cargo xtask rehearse` runs it, with the stores. It starts the application, markt-auth and an nginx before both, logs users in
at the application, and then has nginx send the same clients to the one or the other. It ends with 1 if anybody was logged
out, if any request failed, or if sessions and hashes are not what they should be.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
from redis import Redis

from clients import KINDS, Counts, free_port

HERE = Path(__file__).parent
DATABASE = "markt_rehearsal"
SECRET_KEY = "the SECRET_KEY of the application, as long as it should be"
PATIENCE = 120

NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
worker_processes 2;
events {{}}
http {{
    access_log off;
    # Which connection a client uses again is none of this rehearsal's questions.
    keepalive_timeout 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{backend};
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}
}}
"""


class Stage:
    """The servers, and what they keep."""

    def __init__(self, service, folder):
        self.service, self.folder = service, Path(folder)
        self.database_url = of_database(os.environ["TEST_DATABASE_URL"], DATABASE)
        self.redis_url = of_database(os.environ["TEST_REDIS_URL"], "9")
        self.redis = Redis.from_url(self.redis_url)
        self.processes = []
        self.port, self.old, self.new, self.admin = (free_port() for _ in range(4))
        self.url = f"http://127.0.0.1:{self.port}"

    def open(self):
        if self.redis.dbsize():
            sys.exit(f"{self.redis_url} isn't empty: the rehearsal needs it for itself")
        self.execute_on_server(f"DROP DATABASE IF EXISTS {DATABASE}", f"CREATE DATABASE {DATABASE}")
        self.start_old()
        self.start_nginx()

    def close(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(30)
        self.redis.flushdb()
        self.execute_on_server(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")

    def start(self, name, command, **more):
        log = (self.folder / f"{name}.log").open("a")
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **more)
        self.processes.append(process)
        return process

    def start_old(self):
        address = self.database_url.replace("postgres://", "postgresql+psycopg2://")
        self.environment = os.environ | {
            "DATABASE_URL": address,
            "REDIS_URL": self.redis_url,
            "SECRET_KEY": SECRET_KEY,
            "BRIDGE": "1",
        }
        flask = [sys.executable, "-m", "flask", "--app", "markt.app", "create-tables"]
        subprocess.run(flask, cwd=HERE, env=self.environment, check=True)
        gunicorn = [sys.executable, "-m", "gunicorn", "--workers=2", "--threads=4", f"--bind=127.0.0.1:{self.old}", "markt.app:app"]
        self.start("flask", gunicorn, cwd=HERE, env=self.environment)
        wait_for(f"http://127.0.0.1:{self.old}/api/v1/status")

    def start_new(self, **settings):
        """Serves in place of whatever served before with other settings."""
        if getattr(self, "service_process", None):
            self.service_process.send_signal(signal.SIGTERM)
            self.service_process.wait(30)
            self.processes.remove(self.service_process)
        self.service_process = self.start("markt-auth", [self.service, "serve"], env=self.configuration(settings), cwd=self.folder)
        wait_for(f"http://127.0.0.1:{self.admin}/health/ready")

    def configuration(self, settings):
        return os.environ | {
            "MARKT_BIND": f"127.0.0.1:{self.new}",
            "MARKT_ADMIN_BIND": f"127.0.0.1:{self.admin}",
            "MARKT_DATABASE_URL": self.database_url,
            "MARKT_REDIS_URL": self.redis_url,
            "MARKT_HTTP__TRUSTED_PROXIES": "127.0.0.1/32",
            "MARKT_ADOPT__FLASK_SESSION": "true",
            "MARKT_ADOPT__FLASK_SECRET_KEY": SECRET_KEY,
        } | settings

    def run_service(self, *arguments):
        command = [self.service, *arguments]
        return subprocess.run(command, env=self.configuration({}), cwd=self.folder, check=True, capture_output=True, text=True).stdout

    def start_nginx(self):
        self.point_to(self.old)
        nginx = "/usr/sbin/nginx" if Path("/usr/sbin/nginx").exists() else "nginx"
        self.nginx = self.start("nginx", [nginx, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", "stderr"])
        wait_for(f"{self.url}/api/v1/status")

    def point_to(self, backend):
        text = NGINX.format(folder=self.folder, port=self.port, backend=backend)
        (self.folder / "nginx.conf").write_text(text)

    def switch_to(self, backend):
        """Has nginx send everybody there, and waits until it does."""
        self.point_to(backend)
        self.nginx.send_signal(signal.SIGHUP)
        right = 0
        deadline = time.monotonic() + PATIENCE
        while right < 20:
            with urllib.request.urlopen(f"{self.url}/api/v1/status") as answer:
                is_old = json.load(answer).get("backend") == "flask"
            right = right + 1 if is_old == (backend == self.old) else 0
            assert time.monotonic() < deadline, "nginx goes on as before"

    def execute_on_server(self, *statements):
        connection = psycopg2.connect(os.environ["TEST_DATABASE_URL"])
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def count(self, what):
        with psycopg2.connect(self.database_url) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {what}")
            return cursor.fetchone()[0]

    def adopted(self):
        return self.count("auth_audit WHERE event = 'session_adopted'")

    def upgraded(self):
        return self.count("users WHERE password_hash LIKE '$argon2id$%'")


def of_database(url, name):
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))


def wait_for(url):
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < deadline, f"{url} doesn't answer"
            time.sleep(0.05)


class Visitors:
    """Clients that visit again and again, each by one thread at a time, until they are told to end."""

    def __init__(self, clients, threads):
        self.clients, self.ended = clients, threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(clients[n::threads],)) for n in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self, clients):
        while not self.ended.is_set():
            for client in clients:
                client.visit()
                if self.ended.is_set():
                    return

    def wait_for_all(self, visits=1):
        """Waits until each has begun and ended a visit since now."""
        before = {client: client.visits for client in self.clients}
        self.wait(lambda: all(client.visits > before[client] + visits for client in self.clients))

    def wait(self, is_so):
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < deadline, "the clients don't come to an end"
            time.sleep(0.05)

    def end(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def rehearse(stage, users, threads):
    counts = Counts()
    clients = [KINDS[n % len(KINDS)](stage.url, n, counts) for n in range(users)]
    for client in clients:
        client.register()
        client.log_in()
    say(f"{users} users are logged in at the application")

    found = json.loads(stage.run_service("adopt", "--check", "--json"))
    assert found["users"]["total"] == users and found["errors"] == 0, found
    stage.run_service("migrate")
    stage.start_new(MARKT_PASSWORD__UPGRADE_LEGACY="false")
    visitors = Visitors(clients, threads)
    try:
        visitors.wait_for_all()
        stage.switch_to(stage.new)
        visitors.wait(lambda: stage.adopted() >= users // 2)
        half = stage.adopted()
        say(f"markt-auth serves, and has taken {half} sessions over; back again")
        stage.switch_to(stage.old)
        visitors.wait_for_all()
        say("the application serves again")
        stage.start_new()
        stage.switch_to(stage.new)
        visitors.wait_for_all()
        say(f"markt-auth serves, and has taken {stage.adopted()} sessions over")
    finally:
        visitors.end()
    hashes = stage.upgraded()
    for client in clients:
        client.log_out()
        client.log_in()
        client.visit()
    time.sleep(1)
    say("all have logged out and in again")
    return {
        "users": users,
        "requests": counts.requests,
        "logouts": counts.logouts,
        "failed_requests": counts.failed,
        "adopted_before_the_way_back": half,
        "adopted_sessions": stage.adopted(),
        "upgraded_before_the_last_switch": hashes,
        "upgraded_hashes": stage.upgraded(),
        "what_failed": counts.examples,
    }


def is_good(result):
    users = result["users"]
    return (
        result["logouts"] == 0
        and result["failed_requests"] == 0
        and result["adopted_sessions"] >= users + users // 2
        and result["upgraded_before_the_last_switch"] == 0
        and result["upgraded_hashes"] == users
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service", required=True, help="the program markt-auth")
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--threads", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="markt-rehearsal-") as folder:
        os.chmod(folder, 0o755)
        stage = Stage(arguments.service, folder)
        try:
            stage.open()
            result = rehearse(stage, arguments.users, arguments.threads)
        except BaseException:
            for log in sorted(Path(folder).glob("*.log")):
                print(f"--- {log.name}\n{log.read_text()[-4000:]}", file=sys.stderr)
            raise
        finally:
            stage.close()
    print(json.dumps(result, indent=2))
    if not is_good(result):
        sys.exit("the rehearsal failed")


if __name__ == "__main__":
    main()
