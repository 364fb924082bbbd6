"""Writes fixtures/sessions.json: sessions as Flask, Flask-Login and Flask-Session make them.

Run it with what requirements.txt names, and a redis-server on PATH: `python make_sessions.py`. It asks applications over
their WSGI interface, and takes what they leave in the cookie and in Redis.
"""

import base64
import json
import pickle
import socket
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from flask import Flask, request, session
from flask_login import LoginManager, UserMixin, login_user
from flask_session import Session
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

SECRET_KEY = "the old system's SECRET_KEY of forty-odd characters"
ADDRESS = "192.0.2.7"
AGENT = "Mozilla/5.0 (it's \"Firefox\")"


class User(UserMixin):
    def __init__(self, id):
        self.id = id


def application(**settings):
    app = Flask(__name__)
    app.config.update(SECRET_KEY=SECRET_KEY, SESSION_COOKIE_NAME="markt_session", **settings)
    LoginManager(app).user_loader(User)

    @app.post("/login/<user>")
    def login(user):
        session.permanent = "permanent" in request.args
        if "role" in request.args:
            session["current_role"] = request.args["role"]
        if "large" in request.args:
            session["basket"] = [{"product": "apple", "amount": 1}] * 100
        if "odd" in request.args:
            session.update(seen=datetime(2025, 1, 2, tzinfo=timezone.utc), current_role=7, nested={"_user_id": "USR_OTHER001"})
        login_user(User(user), fresh="stale" not in request.args, remember="remember" in request.args)
        return ""

    @app.post("/visit")
    def visit():
        session["visits"] = 1
        return ""

    return app


def cookie(app, path, name="markt_session"):
    client = app.test_client()
    client.post(path, headers={"User-Agent": AGENT}, environ_base={"REMOTE_ADDR": ADDRESS})
    return client.get_cookie(name).value


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def signed():
    app = application()
    return {
        "plain": cookie(app, "/login/USR_OLD00001?permanent"),
        "until_the_browser_ends": cookie(app, "/login/USR_OLD00001"),
        "large": cookie(app, "/login/USR_OLD00001?permanent&large&role=seller"),
        "stale": cookie(app, "/login/USR_OLD00001?permanent&stale"),
        "odd": cookie(app, "/login/USR_OLD00001?permanent&odd"),
        "of_bob": cookie(app, "/login/USR_OLD00002?permanent"),
        "of_a_deactivated_user": cookie(app, "/login/USR_OLD00003?permanent"),
        "of_nobody": cookie(app, "/visit"),
    }


def records(redis):
    """Flask-Session's cookies, and what it keeps for them, in base64."""
    app = application(SESSION_TYPE="redis", SESSION_REDIS=redis)
    Session(app)
    in_json = application(SESSION_TYPE="redis", SESSION_REDIS=redis, SESSION_SERIALIZATION_FORMAT="json")
    Session(in_json)
    by_signer = application(SESSION_TYPE="redis", SESSION_REDIS=redis, SESSION_USE_SIGNER=True)
    Session(by_signer)
    cookies = {
        "plain": cookie(app, "/login/USR_OLD00001"),
        "large": cookie(app, "/login/USR_OLD00001?large&role=seller"),
        "odd": cookie(app, "/login/USR_OLD00001?odd"),
        "of_nobody": cookie(app, "/visit"),
        "in_json": cookie(in_json, "/login/USR_OLD00001"),
        "signed": cookie(by_signer, "/login/USR_OLD00001"),
    }
    made = {}
    for name, value in cookies.items():
        record = redis.get("session:" + value.split(".")[0])
        made[name] = {"cookie": value, "record": base64.b64encode(record).decode()}
    # As Flask-Session before 0.6 kept it.
    content = {"_permanent": True, "_user_id": "USR_OLD00001", "_fresh": True}
    made["pickled"] = {"cookie": cookies["plain"], "record": base64.b64encode(pickle.dumps(content)).decode()}
    return made


if __name__ == "__main__":
    port = free_port()
    server = subprocess.Popen(["redis-server", "--port", str(port), "--save", ""], stdout=subprocess.DEVNULL)
    try:
        redis = Redis(port=port, retry=Retry(ConstantBackoff(0.05), 100))
        made = {"secret_key": SECRET_KEY, "address": ADDRESS, "agent": AGENT, "signed": signed(), "records": records(redis)}
        made["remember_token"] = cookie(application(), "/login/USR_OLD00001?remember", "remember_token")
    finally:
        server.terminate()
        server.wait()
    text = json.dumps(made, indent=2) + "\n"
    Path(__file__).with_name("fixtures").joinpath("sessions.json").write_text(text)
