"""Clients of three kinds, each with a jar of cookies of its own."""

import json
import socket
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar
from pathlib import Path

import requests

PASSWORD = "Password123"
EXAMPLES = 5


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Counts:
    """What came of all requests."""

    def __init__(self):
        self.requests = self.logouts = self.failed = 0
        self.examples = []
        self.lock = threading.Lock()

    def count(self, what, status, expected, body):
        with self.lock:
            self.requests += 1
            if status == expected:
                return
            if status == 401:
                self.logouts += 1
            else:
                self.failed += 1
            if len(self.examples) < EXAMPLES:
                self.examples.append(f"{what}: {status} {body[:200]}")


class Client:
    """A user with one device. `send` is what kinds differ in: it returns the status and the text of the answer."""

    def __init__(self, url, number, counts):
        self.api, self.name, self.counts = f"{url}/api/v1", f"user_{number:04}", counts
        self.email = f"{self.name}@example.com"
        self.visits = 0

    def ask(self, method, path, expected, body=None):
        try:
            status, text = self.send(method, self.api + path, body)
        except Exception as error:  # Whatever it is, the request failed.
            status, text = 0, repr(error)
        self.counts.count(f"{self.name} {method} {path}", status, expected, text)
        return text

    def register(self):
        body = {"email": self.email, "username": self.name, "password": PASSWORD, "account_type": "buyer"}
        self.ask("POST", "/users/register", 201, body | {"buyer_data": {"buyername": self.name}})

    def log_in(self):
        self.ask("POST", "/users/login", 200, {"email": self.email, "password": PASSWORD})

    def log_out(self):
        self.ask("POST", "/users/logout", 204)

    def visit(self):
        text = self.ask("GET", "/users/profile", 200)
        self.check(text)
        self.visits += 1

    def check(self, text):
        """Nobody may ever be taken for somebody else."""
        try:
            name = json.loads(text).get("username", self.name)
        except ValueError:
            return
        assert name == self.name, f"{self.name} is taken for {name}"


class Browser(Client):
    """Sends several requests at once, with the cookies that it has at that moment."""

    HEADERS = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Sec-Fetch-Site": "same-origin"}
    AT_ONCE = 3
    pool = ThreadPoolExecutor(16)

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.cookies = requests.cookies.RequestsCookieJar()

    def send(self, method, url, body):
        answer = requests.request(method, url, json=body, cookies=self.cookies.copy(), headers=self.HEADERS, timeout=30)
        self.cookies.update(answer.cookies)
        for cookie in [cookie for cookie in self.cookies if cookie.is_expired() or not cookie.value]:
            self.cookies.clear(cookie.domain, cookie.path, cookie.name)
        return answer.status_code, answer.text

    def visit(self):
        snapshot = self.cookies.copy()
        for text, cookies in self.pool.map(lambda _: self.look(snapshot), range(self.AT_ONCE)):
            self.check(text)
            self.cookies.update(cookies)
        self.visits += 1

    def look(self, cookies):
        try:
            answer = requests.get(f"{self.api}/users/profile", cookies=cookies, headers=self.HEADERS, timeout=30)
            status, text, new = answer.status_code, answer.text, answer.cookies
        except requests.RequestException as error:
            status, text, new = 0, repr(error), {}
        self.counts.count(f"{self.name} GET /users/profile", status, 200, text)
        return text, new


class App(Client):
    """Sends nothing that a browser does."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def send(self, method, url, body):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        try:
            with self.opener.open(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


class Curl(Client):
    """Keeps its cookies in a file."""

    folder = tempfile.TemporaryDirectory(prefix="markt-curl-")

    def send(self, method, url, body):
        jar = str(Path(self.folder.name) / self.name)
        command = ["curl", "-sS", "--max-time", "30", "-b", jar, "-c", jar, "-X", method, "-w", "\n%{http_code}", url]
        if body is not None:
            command += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        text, _, status = subprocess.run(command, capture_output=True, text=True, check=True).stdout.rpartition("\n")
        return int(status), text


KINDS = [Browser, App, Browser, App, Curl]
