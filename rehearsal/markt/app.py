"""The application that this service takes the place of: Flask, Flask-Login, Flask-Session, passlib and SQLAlchemy, after
the guide of the Markt backend.

`gunicorn markt.app:app` serves it. DATABASE_URL, REDIS_URL and SECRET_KEY say what with; with BRIDGE=1 it knows the way back
from markt-auth as well.
"""

import os
import secrets
import string
from datetime import timedelta

from flask import Flask, jsonify, request, session
from flask_login import LoginManager, current_user, login_required, login_user, logout_user
from flask_session import Session as ServerSideSession
from passlib.hash import pbkdf2_sha256
from redis import Redis
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from markt.bridge import user_of_markt_auth
from markt.models import Base, Buyer, User, now

app = Flask(__name__)
redis = Redis.from_url(os.environ["REDIS_URL"])
app.config.update(
    SECRET_KEY=os.environ["SECRET_KEY"],
    SESSION_COOKIE_NAME="markt_session",
    SESSION_COOKIE_HTTPONLY=True,
    SESSION_COOKIE_SAMESITE="Lax",
    PERMANENT_SESSION_LIFETIME=timedelta(days=7),
    # Empty for Flask's own sessions, in signed cookies.
    SESSION_TYPE=os.environ.get("SESSION_TYPE", "redis"),
    SESSION_REDIS=redis,
)
if app.config["SESSION_TYPE"]:
    ServerSideSession(app)
engine = create_engine(os.environ["DATABASE_URL"], pool_pre_ping=True)
login_manager = LoginManager(app)


@login_manager.user_loader
def load_user(user_id):
    with Session(engine, expire_on_commit=False) as database:
        return database.get(User, str(user_id))


if os.environ.get("BRIDGE"):

    @login_manager.request_loader
    def load_user_of_markt_auth(request):
        user = user_of_markt_auth(request.cookies.get("markt_session"), redis, engine, load_user)
        if user is not None:
            session.permanent = True
            login_user(user, fresh=False)
        return user


@login_manager.unauthorized_handler
def unauthorized():
    return error(401, "not_authenticated")


def error(code, error_type):
    return jsonify(status="error", code=code, error_type=error_type), code


def shown(user):
    fields = ("id", "email", "username", "is_buyer", "is_seller", "email_verified")
    return jsonify({field: getattr(user, field) for field in fields} | {"current_role": session.get("current_role", "buyer")})


@app.post("/api/v1/users/register")
def register():
    body = request.get_json()
    alphabet = string.ascii_uppercase + string.digits
    user = User(
        id="USR_" + "".join(secrets.choice(alphabet) for _ in range(8)),
        email=body["email"],
        username=body["username"],
        password_hash=pbkdf2_sha256.hash(body["password"]),
        profile_picture="default.jpg",
        is_buyer=True,
        is_seller=False,
        is_active=True,
        email_verified=True,
    )
    with Session(engine, expire_on_commit=False) as database:
        database.add(user)
        database.flush()
        database.add(Buyer(user_id=user.id, buyername=body["username"], is_active=True))
        database.commit()
    return shown(user), 201


@app.post("/api/v1/users/login")
def login():
    body = request.get_json()
    with Session(engine, expire_on_commit=False) as database:
        user = database.scalars(select(User).where(func.lower(User.email) == body["email"].lower())).first()
        # A hash of argon2id, which markt-auth made, is none that this application knows.
        known = user is not None and pbkdf2_sha256.identify(user.password_hash or "")
        if not known or not pbkdf2_sha256.verify(body["password"], user.password_hash):
            return error(401, "invalid_credentials")
        user.last_login_at = now()
        database.commit()
    session.permanent = True
    session["current_role"] = "buyer"
    if not login_user(user, remember=body.get("remember_me", False)):
        return error(403, "account_deactivated")
    return shown(user)


@app.post("/api/v1/users/logout")
@login_required
def logout():
    logout_user()
    session.clear()
    return "", 204


@app.get("/api/v1/users/profile")
@login_required
def profile():
    return shown(current_user)


@app.get("/api/v1/status")
def status():
    return jsonify(status="ok", backend="flask")


@app.cli.command("create-tables")
def create_tables():
    """Makes the tables, as SQLAlchemy does."""
    Base.metadata.create_all(engine)
